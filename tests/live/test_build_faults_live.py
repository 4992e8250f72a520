"""Whatever strikes a build, and wherever: no half-made name, no container, no folder is left, and the next one works.

Faults F02 and F22. The engine is one of the test's own, which is killed and filled as the rows say. Only the moment is
arranged (tests/live/standing.py, a step that sleeps): what is struck is real.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import docker
import pytest

from s2i import sources
from s2i.engines.docker import connection
from s2i.errors import S2IError
from s2i.images import bases, planned
from s2i.images.bases import machine, obtain, offer
from s2i.images.bases.machine import Machine
from tests.live import second_engine
from tests.live.conftest import Builds
from tests.live.second_engine import SecondEngine
from tests.live.test_build_live import FIXTURES, PATIENCE, ROOT, Sleep, dockerfile, eventually, workspaces

STANDING = str(Path(__file__).with_name("standing.py"))
SIZE, LEFT = "600m", 30  # of the engine's disk, and what is left of it in MB when it is "full"
PATIENT = 2 * obtain.REGISTRY_SECONDS  # on a machine that does much else; an engine itself tries much longer
Point = Literal["staged", "admitted", "step", "exporting", "built"]
Strike = Literal["SIGINT", "SIGTERM", "SIGKILL", "client", "engine"]


class Row(NamedTuple):
    """A strike at a point. ``exit`` and ``code``: how the command ends (negative: the signal that ended it)."""

    point: Point
    strike: Strike
    exit: int
    code: str = ""

    def __str__(self) -> str:
        return f"{self.point}-{self.strike}"


ROWS = (
    Row("staged", "SIGINT", 130),
    Row("staged", "SIGKILL", -9),
    Row("staged", "engine", 6, "E_DOCKER"),
    Row("admitted", "SIGINT", 130),
    Row("admitted", "SIGKILL", -9),
    Row("admitted", "engine", 6, "E_DOCKER"),
    Row("step", "SIGINT", 130),
    Row("step", "SIGTERM", 130),
    Row("step", "SIGKILL", -9),
    Row("step", "client", 75, "E_BUILD_KILLED"),
    Row("step", "engine", 6, "E_DOCKER"),
    Row("exporting", "SIGINT", 130),
    Row("exporting", "SIGKILL", -9),
    Row("built", "SIGINT", 130),
    Row("built", "SIGKILL", -9),
    Row("built", "engine", 6, "E_DOCKER"),
)


@pytest.fixture(scope="module")
def doomed(engine: docker.DockerClient) -> Iterator[SecondEngine]:
    """Return an engine that is killed and filled, with a small base image and no more."""
    bases.refresh(connection.wire())
    with SecondEngine(engine, size=SIZE) as running:
        running.take(offer.recall().bases[-1].runtime)
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
    lines = sleep.line if row.point == "step" else f"RUN echo {sleep.command} > /x\n"
    source = dockerfile(tmp_path / "source", lines, base)
    with running(row.point, source, tag) as process:
        if row.point == "step":
            eventually(sleep.runs)
        else:
            stands(process)
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
    assert len(left) <= (1 if row.exit == -9 else 0), left
    client = doomed.client()
    assert client.containers.list(all=True) == []
    if row.point in ("staged", "admitted", "step"):
        assert client.images.list(tag) == []
    (source / "Dockerfile").write_text(f"FROM {base}\nRUN echo next\n")
    time.sleep(1.1 if left else 0)  # a folder so young may belong to somebody who starts at this moment
    Builds([])(source, "dockerfile", tags=(tag,))
    assert workspaces() == []
    assert client.containers.run(tag, ["python3", "-c", "print(1)"], remove=True) == b"1\n"
    client.images.remove(tag)
    nameless = client.images.list(filters={"dangling": True})
    # What was whole before the strike has lost its name to the next build, as ever; its label says whose it is.
    assert ["s2i.build" in image.labels for image in nameless] == [True] * (row.point in ("exporting", "built"))
    for image in nameless:
        client.images.remove(image.id)


@pytest.mark.parametrize("line", ["RUN head -c {size} /dev/zero > /big", "COPY big /big"])
def test_a_full_disk_of_the_engine_is_said_and_room_is_all_it_takes(
    line: str, doomed: SecondEngine, base: str, tmp_path: Path
) -> None:
    size, tag = (LEFT + 30) << 20, f"s2i-test/t{random.getrandbits(40):x}:latest"
    source = dockerfile(tmp_path / "source", f"{line.format(size=size)}\n", base)
    with (source / "big").open("wb") as file:
        file.truncate(size)
    with filled(doomed):
        done = s2i("build", source, tag, "-o", "json")
        assert done.returncode == 6, done.stderr
        error = json.loads(done.stderr.splitlines()[-1])["error"]
        assert (error["code"], "s2i image gc --cache" in error["advice"]) == ("E_BUILD_DISK", True)
        client = doomed.client()
        assert (client.containers.list(all=True), client.images.list(tag), workspaces()) == ([], [], [])
    done = s2i("build", source, tag)
    assert done.returncode == 0, done.stderr
    client.images.remove(tag)
    client.api.prune_builds()  # of an engine of our own


@pytest.mark.parametrize("room", [0, 1], ids=["none", "too little"])
def test_a_full_disk_of_s2i_itself_is_said(room: int, doomed: SecondEngine, base: str, tmp_path: Path) -> None:
    source = dockerfile(tmp_path / "source", "COPY . /app\n", base)
    (source / "big").write_bytes(bytes(4 << 20))
    # Where s2i keeps everything is a file system of 2 MB, seen by this one command, and full when there is no room.
    fill = "" if room else 'cat /dev/zero > "$S2I_HOME/x" 2>/dev/null;'
    script = f'mkdir -p "$S2I_HOME" && mount -t tmpfs -o size=2m tmpfs "$S2I_HOME" && {{ {fill} exec "$@"; }}'
    done = subprocess.run(
        ("unshare", "--mount", "sh", "-c", script, "sh", *command(source, "s2i-test/x:1"), "-o", "json"),
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
            done = s2i("build", dockerfile(tmp_path / image, "", image), "s2i-test/x:1", "-o", "json")
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


def command(source: Path, tag: str, point: str = "") -> tuple[str, ...]:
    """Return the command that builds, standing still at ``point`` when that is one of standing.py."""
    program = ("-m", "s2i") if point in ("", "step") else (STANDING, point)
    return (sys.executable, *program, "build", str(source), "--strategy", "dockerfile", "-t", tag)


def s2i(verb: str, source: Path, tag: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Build to the end."""
    return subprocess.run(
        (*command(source, tag), *more), capture_output=True, text=True, timeout=120, cwd=ROOT, check=False
    )


@contextlib.contextmanager
def running(point: Point, source: Path, tag: str) -> Iterator[subprocess.Popen[str]]:
    """Start a build for the block."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        (*command(source, tag, point), "-o", "json"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stands(process: subprocess.Popen[str]) -> None:
    """Return when the command stands still."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        if line == "STANDING\n":
            return
        said.append(line)
    raise AssertionError("".join(said))


def strike(what: Strike, process: subprocess.Popen[str], engine: SecondEngine) -> None:
    """Do to the command, its client or the engine what a row says."""
    match what:
        case "engine":
            engine.die()
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        case "client":
            os.kill(child(process.pid), signal.SIGKILL)
        case _:
            process.send_signal(signal.Signals[what])


def child(pid: int) -> int:
    """Return the program that a command runs."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


@contextlib.contextmanager
def filled(engine: SecondEngine) -> Iterator[Any]:
    """Fill the engine's disk for the block, to the last few MB."""
    place = engine.files() / "filler"
    free = os.statvfs(engine.files())
    try:
        with place.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - (LEFT << 20))
        yield
    finally:
        place.unlink()
