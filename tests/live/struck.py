"""What is built while something strikes: a source of one word, by a client, or when a line has changed by the engine.

And what strikes it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import docker
import msgspec

from s2i import sources
from s2i.planning import saved
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base, Copy, Run
from tests.live.second_engine import SecondEngine
from tests.live.test_build_live import ROOT, Sleep

Strike = Literal["SIGINT", "SIGTERM", "SIGKILL", "client", "engine", "restart"]
BIG = 64 << 20  # bytes
STANDING = str(Path(__file__).with_name("standing.py"))


def command(folder: Path, tag: str, *options: str, point: str = "") -> tuple[str, ...]:
    """Return the command that builds ``folder``, standing still at ``point`` when that is one of standing.py."""
    program = ("-m", "s2i") if point in ("", "step") else (STANDING, point)
    return (sys.executable, *program, "build", str(folder), *options, "-t", tag)


def run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


class Cold:
    """A Dockerfile, which clients build. Its image says the word; a step of it takes long when that is "slow"."""

    place = "/word"

    def __init__(self, folder: Path, base: str, sleep: Sleep) -> None:
        self.folder, self.base, self.sleep = folder / "source", base, sleep
        self.folder.mkdir()

    def write(self, word: str) -> None:
        """Make ``word`` what the source is about."""
        # No other source has this layer: it has to be written.
        lines = f"RUN echo '{word} {self.sleep.command}' > {self.place}\n"
        slow = self.sleep.line if word == "slow" else ""
        (self.folder / "Dockerfile").write_text(f"FROM {self.base}\n{slow}{lines}")

    def options(self) -> tuple[str, ...]:
        """Return how the source is built."""
        return ("--strategy", "dockerfile")

    def argv(self, tag: str, point: str = "") -> tuple[str, ...]:
        """Return the command that builds, standing still at ``point`` when that is one of standing.py."""
        return command(self.folder, tag, *self.options(), point=point)

    def build(self, tag: str) -> None:
        """Build, which works."""
        done = run(self.argv(tag))
        assert done.returncode == 0, done.stderr

    def held(self, engine: docker.DockerClient, tag: str) -> str:
        """Return the word that an image says, "" when there is no such image."""
        if not engine.images.list(tag):
            return ""
        said: Any = engine.containers.run(tag, ["cat", self.place], remove=True)
        return str(said.decode().split()[0])


class Warm(Cold):
    """A source with a plan of its own: once it was built, the engine builds a changed word without a client."""

    place = "/app/word"

    def __init__(self, folder: Path, base: str, sleep: Sleep) -> None:
        super().__init__(folder, base, sleep)
        (self.folder / "main.py").write_text("print(1)\n")
        python = base.rpartition(":")[2]
        here = Base(python=python, build=base, runtime=base)
        with sources.fetch(sources.parse(str(self.folder)), policy=sources.Policy.of(os.environ)) as tree:
            plan = compile_plan(tree, (here,), "auto")
        script = f"read word rest < {self.place}; case $word in slow) {sleep.command};; big) head -c {BIG} /dev/zero > /big;; esac"
        steps = (
            Copy("runtime", "Copy the source", (".",), "/app/"),
            Run("runtime", "Take long", ("sh", "-c", script)),
        )
        self.plan = folder / "plan.json"
        self.plan.write_bytes(saved.encode(msgspec.structs.replace(plan, steps=steps)))

    def write(self, word: str) -> None:
        (self.folder / "word").write_text(f"{word} {self.sleep.command}\n")

    def options(self) -> tuple[str, ...]:
        return ("--plan", str(self.plan))


@contextlib.contextmanager
def running(point: str, source: Cold, tag: str) -> Iterator[subprocess.Popen[str]]:
    """Start a build for the block."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        (*source.argv(tag, point), "-o", "json"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def stands(process: subprocess.Popen[str]) -> None:
    """Return when the command stands still."""
    told = process.stderr or process.stdout
    assert told is not None
    said = []
    for line in told:
        if line == "STANDING\n":
            return
        said.append(line)
    raise AssertionError("".join(said))


def strike(what: Strike, process: subprocess.Popen[str], engine: SecondEngine) -> None:
    """Do to the command, its client or the engine what a row says."""
    match what:
        case "engine" | "restart":
            engine.die()
            if what == "restart":
                engine.start()
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
