"""Limits of a build's steps: what may be asked for, how steps are found and held."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.images import cage, limits
from s2i.images.cage import Cage, caged, marked, memberships
from s2i.images.limits import Limits
from s2i.sources import Notice

MIB = 1 << 20
V1 = "4:memory:/docker/buildkit/abc\n8:pids:/docker/buildkit/abc\n1:cpu,cpuacct:/docker/buildkit/abc\n0::/\n"
V2 = "0::/system.slice/docker-abc.scope\n"
OURS = "4:memory:/user/shell\n8:pids:/user/shell\n0::/\n"


def test_limits_come_from_the_command_line_else_from_the_settings() -> None:
    settings = {"S2I_BUILD_MEMORY": "64M", "S2I_BUILD_CPU": "0.5", "S2I_BUILD_PROCESSES": "100"}
    assert limits.parse(None, None, {}) == Limits(0, 0.0, 4096)
    assert limits.parse(None, None, settings) == Limits(64 * MIB, 0.5, 100)
    assert limits.parse("128M", "1", settings) == Limits(128 * MIB, 1.0, 100)


@pytest.mark.parametrize(
    ("memory", "cpu", "processes", "code"),
    [
        ("lots", None, None, "E_LIMIT"),
        ("", None, None, "E_LIMIT"),
        ("1K", None, None, "E_LIMIT"),
        (None, "many", None, "E_LIMIT"),
        (None, "0", None, "E_LIMIT"),
        (None, None, "9", "E_VALUE"),
        (None, None, "x", "E_VALUE"),
        (None, None, "", "E_VALUE"),
    ],
)
def test_a_bad_limit_is_refused(memory: str | None, cpu: str | None, processes: str | None, code: str) -> None:
    settings = {} if processes is None else {"S2I_BUILD_PROCESSES": processes}
    with pytest.raises(S2IError) as caught:
        limits.parse(memory, cpu, settings)
    assert (caught.value.code, caught.value.exit) == (code, 2)


@pytest.mark.parametrize(
    ("inherited", "expected"),
    [
        ({}, {"NO_PROXY": "word"}),
        ({"NO_PROXY": "a,b"}, {"NO_PROXY": "a,b,word"}),
        ({"no_proxy": "a"}, {"no_proxy": "a,word"}),
        ({"no_proxy": "a", "NO_PROXY": "b"}, {"NO_PROXY": "b,word", "no_proxy": "a,word"}),
    ],
)
def test_what_goes_past_the_proxy_still_does(
    inherited: dict[str, str], expected: dict[str, str], tmp_path: Path
) -> None:
    assert marked({"DOCKER_CONFIG": str(tmp_path), **inherited}, "word") == expected


def test_what_the_docker_command_is_configured_with_still_counts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"proxies": {"default": {"noProxy": "intranet"}}}')
    assert marked({"DOCKER_CONFIG": str(tmp_path)}, "word") == {"NO_PROXY": "intranet,word"}


def test_control_groups_are_read_by_controller() -> None:
    assert memberships(V1)["cpu"] == "/docker/buildkit/abc"
    assert memberships(V2) == {"": "/system.slice/docker-abc.scope"}


class Machine:
    """A /proc and a /sys/fs/cgroup with one step of a build in it."""

    def __init__(self, folder: Path, groups: str) -> None:
        self.proc, self.root = folder / "proc", folder / "cgroup"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "self" / "cgroup").write_text(OURS)
        self._groups = groups
        self.group = self.root / "system.slice/docker-abc.scope"
        files = {self.group: ("memory.max", "memory.swap.max", "pids.max", "cpu.max")}
        if groups == V1:
            files = {
                self.root / "memory/docker/buildkit/abc": ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
                self.root / "pids/docker/buildkit/abc": ("pids.max",),
                self.root / "cpu/docker/buildkit/abc": ("cpu.cfs_period_us", "cpu.cfs_quota_us"),
            }
        for place, names in files.items():
            place.mkdir(parents=True)
            for name in names:
                (place / name).write_text("")

    def appear(self, number: int, of: Cage, groups: str = "") -> None:
        """Let a process be there that has the word of a build in its environment."""
        (self.proc / str(number)).mkdir()
        (self.proc / str(number) / "cgroup").write_text(groups or self._groups)
        (self.proc / str(number) / "environ").write_text("\0".join(f"{k}={v}" for k, v in of.marks.items()))

    def read(self, path: str) -> str:
        return (self.root / path).read_text()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Machine]:
    def make(groups: str) -> Machine:
        made = Machine(tmp_path, groups)
        monkeypatch.setattr(cage, "PROC", made.proc)
        monkeypatch.setattr(cage, "ROOT", made.root)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        return made

    return make


def held(of: Cage) -> Cage:
    of.step()
    until = time.monotonic() + 10
    while not of.holds and time.monotonic() < until:
        time.sleep(0.01)
    return of


def test_a_step_is_held_on_a_machine_of_version_1(machine: Callable[[str], Machine]) -> None:
    there = machine(V1)
    with caged(Limits(64 * MIB, 0.5, 100), {}, "unix:///x", "", lambda notice: None) as box:
        there.appear(77, box)
        held(box)
    assert {path: there.read(path) for path in _files(there.root)} == {
        "memory/docker/buildkit/abc/memory.limit_in_bytes": str(64 * MIB),
        "memory/docker/buildkit/abc/memory.memsw.limit_in_bytes": str(64 * MIB),
        "pids/docker/buildkit/abc/pids.max": "100",
        "cpu/docker/buildkit/abc/cpu.cfs_period_us": "100000",
        "cpu/docker/buildkit/abc/cpu.cfs_quota_us": "50000",
    }


def test_a_step_is_held_on_a_machine_of_version_2(machine: Callable[[str], Machine]) -> None:
    there = machine(V2)
    with caged(Limits(64 * MIB, 0.5, 100), {}, "unix:///x", "", lambda notice: None) as box:
        there.appear(77, box)
        held(box)
    group = "system.slice/docker-abc.scope"
    assert {path: there.read(path) for path in _files(there.root)} == {
        f"{group}/memory.max": str(64 * MIB),
        f"{group}/memory.swap.max": "0",
        f"{group}/pids.max": "100",
        f"{group}/cpu.max": "50000 100000",
    }


def test_nobody_else_is_held(machine: Callable[[str], Machine]) -> None:
    there = machine(V1)
    box, other = (Cage(Limits(64 * MIB), {}) for _ in range(2))
    there.appear(70, other)  # a step of another build
    there.appear(71, box, OURS)  # the client that was started here
    there.appear(72, box, "4:memory:/\n0::/\n")
    assert list(box._found()) == []


@pytest.mark.parametrize(
    ("wanted", "host", "dockerfile", "why"),
    [
        (Limits(memory=64 * MIB), "ssh://host", "", "the engine is not on this machine, or this is no Linux"),
        (Limits(cpu=1.0), "unix:///x", "FROM a\nARG no_proxy", "the Dockerfile has a use of its own for NO_PROXY"),
    ],
)
def test_a_limit_that_does_not_hold_is_said_and_changes_nothing(
    wanted: Limits, host: str, dockerfile: str, why: str, machine: Callable[[str], Machine]
) -> None:
    machine(V1)
    notices: list[Notice] = []
    with caged(wanted, {"A": "b"}, host, dockerfile, notices.append) as box:
        assert box.marks == {}
    assert [(notice.code, notice.message) for notice in notices] == [
        ("W_NO_LIMIT", f"the limit of {wanted.asked} does not hold for this build: {why}")
    ]


def test_who_is_not_root_and_asked_for_nothing_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    notices: list[Notice] = []
    with caged(Limits(), {}, "unix:///x", "", notices.append) as box:
        assert box.marks == {}
    assert notices == []


def test_a_step_that_was_killed_for_its_memory_is_explained_with_the_limit() -> None:
    box = Cage(Limits(memory=64 * MIB), {}, "x")
    box.killed = True
    with pytest.raises(S2IError) as caught:
        box.explain("Install", ("building", "Killed", "executor failed running [/bin/sh]: exit code: 137"))
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_MEMORY", 5)
    assert caught.value.message == (
        'the build failed at "Install": it was killed, because it needs more memory than the limit of 64 MB'
        "\n  building\n  Killed"
    )


def test_a_step_with_too_many_processes_is_explained_with_the_limit() -> None:
    box = Cage(Limits(processes=100), {}, "x")
    box.crowded = True
    with pytest.raises(S2IError) as caught:
        box.explain("Install", ("Cannot fork",))
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_PROCESSES", 5)
    assert caught.value.message == ('the build failed at "Install": it started more than 100 processes\n  Cannot fork')


def test_what_failed_by_itself_is_left_to_others() -> None:
    Cage(Limits(memory=64 * MIB), {}, "x").explain("Install", ("exit code: 137",))


def _files(root: Path) -> list[str]:
    return [str(path.relative_to(root)) for path in sorted(root.rglob("*")) if path.is_file()]


@pytest.mark.parametrize(
    "said", ["/bin/sh: 1: Cannot fork", "BlockingIOError: [Errno 11] Resource temporarily unavailable"]
)
def test_a_step_that_ended_before_it_was_counted_is_told_by_its_own_words(
    said: str, machine: Callable[[str], Machine]
) -> None:
    there = machine(V1)
    with caged(Limits(processes=100), {}, "unix:///x", "", lambda notice: None) as box:
        box.explain("Install", (said,))  # not held: its own trouble
        there.appear(77, box)
        held(box)
        with pytest.raises(S2IError) as caught:
            box.explain("Install", (said,))
    assert caught.value.code == "E_BUILD_PROCESSES"


def test_a_comment_takes_no_limit_away(machine: Callable[[str], Machine]) -> None:
    machine(V1)
    with caged(Limits(processes=100), {}, "unix:///x", "# no_proxy\nFROM a\nRUN true\n", lambda notice: None) as box:
        assert box.marks
