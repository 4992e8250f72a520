"""Whatever strikes a build, and wherever: no half-made name, no container, no folder is left, and the next one works.

Faults F02 and F22. The engine is one of the test's own, which is killed and filled as the rows say. Only the moment is
arranged (tests/live/standing.py, a step that sleeps): what is struck is real.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import docker
import pytest

from s2i import sources
from s2i.errors import S2IError
from s2i.images import planned
from s2i.images.bases import machine, obtain
from s2i.images.bases.machine import Machine
from tests.live import faulty, second_engine
from tests.live.second_engine import SecondEngine
from tests.live.struck import Cold, Strike, Warm, command, run, running, stands, strike
from tests.live.test_build_live import FIXTURES, PATIENCE, ROOT, Sleep, dockerfile, eventually, workspaces

SIZE, LEFT = "600m", 30  # of the engine's disk, and what is left of it in MB when it is "full"
FAULT = ROOT / "tests/images/recorded/api-lost-layer.txt"
DOCKERFILE = ("--strategy", "dockerfile")
PATIENT = 2 * obtain.REGISTRY_SECONDS  # on a machine that does much else; an engine itself tries much longer
Way = Literal["client", "api"]
Point = Literal["staged", "sending", "admitted", "step", "exporting", "built"]


class Row(NamedTuple):
    """A strike at a point. ``exit`` and ``code``: how the command ends (negative: the signal that ended it).

    ``way``: through a client, or for a changed line through the engine's own API. ``restart``: the engine is killed, and
    answers again before the command has seen that.
    """

    point: Point
    strike: Strike
    exit: int
    code: str = ""
    way: Way = "client"

    def __str__(self) -> str:
        return f"{self.way}-{self.point}-{self.strike}"


ROWS = (
    Row("staged", "SIGINT", 130),
    Row("staged", "SIGTERM", 130),
    Row("staged", "SIGKILL", -9),
    Row("staged", "engine", 6, "E_DOCKER"),
    Row("admitted", "SIGINT", 130),
    Row("admitted", "SIGTERM", 130),
    Row("admitted", "SIGKILL", -9),
    Row("admitted", "engine", 6, "E_DOCKER"),
    Row("step", "SIGINT", 130),
    Row("step", "SIGTERM", 130),
    Row("step", "SIGKILL", -9),
    Row("step", "client", 75, "E_BUILD_KILLED"),
    Row("step", "engine", 6, "E_DOCKER"),
    Row("exporting", "SIGINT", 130),
    Row("exporting", "SIGTERM", 130),
    Row("exporting", "SIGKILL", -9),
    Row("built", "SIGINT", 130),
    Row("built", "SIGTERM", 130),
    Row("built", "SIGKILL", -9),
    Row("built", "engine", 6, "E_DOCKER"),
    Row("sending", "SIGINT", 130, way="api"),
    Row("sending", "SIGTERM", 130, way="api"),
    Row("sending", "SIGKILL", -9, way="api"),
    Row("sending", "engine", 6, "E_DOCKER", way="api"),
    Row("sending", "restart", 0, way="api"),
    Row("step", "SIGINT", 130, way="api"),
    Row("step", "SIGTERM", 130, way="api"),
    Row("step", "SIGKILL", -9, way="api"),
    Row("step", "engine", 6, "E_DOCKER", way="api"),
    Row("exporting", "SIGINT", 130, way="api"),
    Row("exporting", "SIGTERM", 130, way="api"),
    Row("exporting", "SIGKILL", -9, way="api"),
    Row("built", "SIGINT", 130, way="api"),
    Row("built", "SIGKILL", -9, way="api"),
)


@pytest.fixture(scope="module")
def doomed(engine: docker.DockerClient) -> Iterator[SecondEngine]:
    """Return an engine that is killed and filled, with a small base image and no more."""
    with SecondEngine(engine, size=SIZE) as running:
        running.take(second_engine.base().runtime)
        yield running


@pytest.fixture
def base(doomed: SecondEngine, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of the base, with the doomed engine as the one that s2i talks to, by buildx."""
    monkeypatch.setenv("DOCKER_HOST", doomed.host)
    monkeypatch.setenv("PATH", f"{second_engine.buildx().parent}:{os.environ['PATH']}")
    (image,) = (name for image in doomed.client().images.list() for name in image.tags if "s2i.local" in name)
    return str(image)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_build_that_is_struck_leaves_nothing_and_the_next_one_works(
    row: Row, doomed: SecondEngine, base: str, tmp_path: Path
) -> None:
    sleep, tag = Sleep(), f"s2i-test/t{random.getrandbits(40):x}:latest"
    source = (Warm if row.way == "api" else Cold)(tmp_path, base, sleep)
    source.write("first")
    if row.way == "api":
        source.build(tag)
    source.write("slow" if row.point == "step" else "struck")
    with running(row.point, source, tag) as process:
        if row.point == "step":
            eventually(sleep.runs)
        else:
            stands(process)
        assert len(workspaces()) == (row.way == "client" and row.point != "built"), "it goes another way"
        strike(row.strike, process, doomed)
        _, err = process.communicate(timeout=PATIENCE)
    if row.strike == "engine":
        doomed.start()
    assert process.returncode == row.exit, err
    if row.code:
        assert json.loads(err.splitlines()[-1])["error"]["code"] == row.code
    # What ran in a step of an engine that is killed goes on, and is nobody's: docker build has the same.
    eventually(lambda: not sleep.runs() or row.strike == "engine", 3)
    left = workspaces()
    assert len(left) <= (1 if row.exit == -9 and row.way == "client" else 0), left
    client = doomed.client()
    assert client.containers.list(ignore_removed=True, all=True) == []
    whole = row.point in ("exporting", "built") or row.exit == 0
    if not whole:
        assert source.held(client, tag) == ("first" if row.way == "api" else "")
    time.sleep(1.1 if left else 0)  # a folder so young may belong to somebody who starts at this moment
    for text in (
        ("next", "first") if row.way == "api" else ("next",)
    ):  # the one that was built before the strike as well
        source.write(text)
        source.build(tag)
        assert source.held(client, tag) == text
    assert workspaces() == []
    client.images.remove(tag)
    nameless = client.images.list(filters={"dangling": True})
    # What was whole before the strike has lost its name to the next build, as ever; its label says whose it is.
    assert all("s2i.build" in image.labels for image in nameless)
    assert len(nameless) - (row.way == "api") in ((1,) if whole else (0,)), [one.history()[0] for one in nameless]
    for image in nameless:
        client.images.remove(image.id)


def test_a_fault_of_the_engines_own_is_mended_by_a_second_try(
    doomed: SecondEngine, base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = f"s2i-test/t{random.getrandbits(40):x}:latest"
    source = Warm(tmp_path, base, Sleep())
    source.write("first")
    source.build(tag)
    source.write("next")
    with faulty.engine(doomed.host, tmp_path / "d", FAULT.read_bytes()) as (host, builds):
        monkeypatch.setenv("DOCKER_HOST", host)
        done = run(source.argv(tag))
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("note")] == [
        "note   the engine failed by a fault of its own (it collected a layer as left over while it wrote the image):"
        " the image is built once more (W_BUILT_AGAIN)"
    ]
    assert builds == ["faulty", "real"]
    client = doomed.client()
    assert source.held(client, tag) == "next"
    client.images.remove(tag)
    client.images.prune()


@pytest.mark.parametrize("line", ["RUN head -c {size} /dev/zero > /big", "COPY big /big"])
def test_a_full_disk_of_the_engine_is_said_and_room_is_all_it_takes(
    line: str, doomed: SecondEngine, base: str, tmp_path: Path
) -> None:
    size, tag = (LEFT + 30) << 20, f"s2i-test/t{random.getrandbits(40):x}:latest"
    source = dockerfile(tmp_path / "source", f"{line.format(size=size)}\n", base)
    with (source / "big").open("wb") as file:
        file.truncate(size)
    argv = command(source, tag, *DOCKERFILE)
    with filled(doomed, LEFT):
        refused(run((*argv, "-o", "json")))
        client = doomed.client()
        assert (client.containers.list(ignore_removed=True, all=True), client.images.list(tag), workspaces()) == (
            [],
            [],
            [],
        )
    done = run(argv)
    assert done.returncode == 0, done.stderr
    client.images.remove(tag)
    client.api.prune_builds()  # of an engine of our own


@pytest.mark.parametrize(("word", "size", "left"), [("big", 0, LEFT), ("next", 15 << 20, 5)], ids=["step", "sending"])
def test_a_full_disk_in_a_build_of_a_changed_line_is_said_and_the_last_image_stays(
    word: str, size: int, left: int, doomed: SecondEngine, base: str, tmp_path: Path
) -> None:
    tag = f"s2i-test/t{random.getrandbits(40):x}:latest"
    source = Warm(tmp_path, base, Sleep())
    source.write("first")
    source.build(tag)
    source.write(word)
    (source.folder / "big").write_bytes(random.randbytes(size))
    client = doomed.client()
    with filled(doomed, left):
        refused(run((*source.argv(tag), "-o", "json")))
        assert (client.containers.list(ignore_removed=True, all=True), workspaces()) == ([], [])
    assert source.held(client, tag) == "first"
    source.build(tag)
    assert source.held(client, tag) == word
    client.images.remove(tag)
    client.images.prune()
    client.api.prune_builds()


@pytest.mark.parametrize("room", [0, 1], ids=["none", "too little"])
def test_a_full_disk_of_s2i_itself_is_said(room: int, doomed: SecondEngine, base: str, tmp_path: Path) -> None:
    source = dockerfile(tmp_path / "source", "COPY . /app\n", base)
    (source / "big").write_bytes(bytes(4 << 20))
    # Where s2i keeps everything is a file system of 2 MB, seen by this one command, and full when there is no room.
    fill = "" if room else 'cat /dev/zero > "$S2I_HOME/x" 2>/dev/null;'
    script = f'mkdir -p "$S2I_HOME" && mount -t tmpfs -o size=2m tmpfs "$S2I_HOME" && {{ {fill} exec "$@"; }}'
    done = subprocess.run(
        ("unshare", "--mount", "sh", "-c", script, "sh", *command(source, "s2i-test/x:1", *DOCKERFILE), "-o", "json"),
        capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 6, done.stderr
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == ("E_BUILD_DISK" if room else "E_DISK")


def test_a_base_that_cannot_be_had_is_said_before_anybody_loses_patience(
    doomed: SecondEngine, base: str, tmp_path: Path
) -> None:
    took = []
    with doomed.cut_off():
        for image in ("s2i.local/no-such:1", "python:3.12-slim"):  # the first is looked for nowhere
            began = time.monotonic()
            source = dockerfile(tmp_path / image, "", image)
            done = run((*command(source, "s2i-test/x:1", *DOCKERFILE), "-o", "json"))
            took.append(time.monotonic() - began)
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"], error["message"]) == (
        6,
        "E_BASE_MISSING",
        "the base image python:3.12-slim is not on this machine, and its registry does not answer within 4 s",
    )
    assert "docker load" in error["advice"]
    assert "registry-mirrors" in error["advice"]
    assert obtain.REGISTRY_SECONDS < 5
    assert took[1] - took[0] < PATIENT


def test_a_python_that_can_neither_be_pulled_nor_made_is_said_at_once(
    doomed: SecondEngine, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "look", lambda: Machine())
    source = sources.parse(str(FIXTURES / "flask-hello" / "app"))
    with doomed.cut_off(), sources.fetch(source, policy=sources.Policy()) as tree:
        began = time.monotonic()
        with pytest.raises(S2IError) as caught:
            planned.plan(tree)
        assert time.monotonic() - began < PATIENT
    assert (caught.value.code, caught.value.exit) == ("E_BASE", 6)
    assert "docker load" in caught.value.advice


# What the tests above use ------------------------------------------------------------------------------------------


def refused(done: subprocess.CompletedProcess[str]) -> None:
    """See that a build ended with the words for a full disk."""
    assert done.returncode == 6, done.stderr
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (error["code"], "s2i image gc --cache" in error["advice"]) == ("E_BUILD_DISK", True)


@contextlib.contextmanager
def filled(engine: SecondEngine, left: int) -> Iterator[Any]:
    """Fill the engine's disk for the block, to the last ``left`` MB."""
    place = engine.files() / "filler"
    free = os.statvfs(engine.files())
    try:
        with place.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - (left << 20))
        yield
    finally:
        place.unlink()
