"""Measure `s2i build`, `s2i deploy` and `--push` against Dockerfiles by hand. Exit 1 on a MISS.

Whole processes, run in turn so that a busy machine slows all of them: `python -m benchmarks.build [ROUNDS] [ROW ...]`.
ROW: cold, same, line, dependency, size, deploy, push. Needs root on Debian, as `s2i doctor --fix` does.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import floors
from s2i.engines.docker import connection
from s2i.images import clients, command
from s2i.images.clients import BuildClient

ROOT = Path(__file__).resolve().parents[1]
APPS = ("flask", "fastapi", "science", "django")
EDITED = {"flask": "app.py", "fastapi": "main.py", "science": "train.py", "django": "shop/urls.py"}
WAYS = ("naive", "hand", "s2i")
LATER = 0.100  # s that may be added to what a client by hand takes
# Light distributions with many releases: each round adds one that no round before has had.
LIGHT = {
    "certifi": ("2024.2.2", "2024.6.2", "2024.7.4", "2024.8.30", "2024.12.14", "2025.1.31", "2025.4.26", "2025.6.15"),
    "idna": ("3.4", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10"),
    "humanize": ("4.6.0", "4.7.0", "4.8.0", "4.9.0", "4.10.0", "4.11.0", "4.12.0"),
    "tabulate": ("0.8.9", "0.8.10", "0.9.0"),
}
Row = tuple[str, bool]


class App(NamedTuple):
    """One application in a folder of its own, which the benchmark changes."""

    name: str
    folder: Path

    def edit(self) -> None:
        """Change one line of the code."""
        path = self.folder / EDITED[self.name]
        kept = [line for line in path.read_text().splitlines() if not line.startswith("# edit")]
        path.write_text("\n".join([*kept, f"# edit {uuid.uuid4().hex}", ""]))

    def depend(self) -> None:
        """Add one dependency that was not there before."""
        chosen = [f"{name}=={random.choice(LIGHT[name])}" for name in LIGHT]  # noqa: S311 - no secret
        original = (ROOT / "benchmarks/apps" / self.name / "requirements.txt").read_text()
        (self.folder / "requirements.txt").write_text("\n".join([original.rstrip(), *chosen, ""]))


class Bench(NamedTuple):
    """What the measurements share: the apps, the client that builds by hand, the variables of s2i."""

    home: Path
    client: BuildClient
    rounds: int
    environment: dict[str, str]

    def app(self, name: str) -> App:
        """Return a fresh copy of an application."""
        folder = self.home / "apps" / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(ROOT / "benchmarks/apps" / name, folder)
        return App(name, folder)

    def build(self, way: str, app: App, *, cold: bool = False, tag: str = "", push: bool = False) -> float:
        """Build ``app`` in one ``way`` and return the seconds of the whole process. ``cold``: no layer is kept."""
        tag = tag or f"s2i-bench/{app.name}-{way}:latest"
        if way == "s2i":
            extra = (*(("--no-cache",) if cold else ()), *(("--push",) if push else ()))
            return self.timed((sys.executable, "-m", "s2i", "build", str(app.folder), "-t", tag, *extra), cold=cold)
        bundle = command.ca_bundle(os.environ)
        extra = ("--no-cache",) if cold else ()
        words = (
            self.client.path, "build", f"--file={app.folder}/{way}.Dockerfile", f"--tag={tag}",
            *((f"--secret=id=ca,src={bundle}",) if bundle else ()), *extra, str(app.folder),
        )  # fmt: skip
        took = self.timed(words)
        return took + (self.timed(("docker", "push", tag)) if push else 0.0)

    def timed(self, argv: Sequence[str], *, cold: bool = False) -> float:
        """Run a process to its end and return its seconds. Ends the benchmark when it fails."""
        fresh = {"S2I_HOME": f"{self.home}/cold-{uuid.uuid4().hex}"} if cold else {}
        environment = {**self.environment, **fresh}
        began = time.perf_counter()
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, cwd="/", timeout=900, check=False)
        took = time.perf_counter() - began
        if done.returncode:
            sys.exit(f"{' '.join(argv)}: exit {done.returncode}\n{done.stderr[-3000:]}")
        return took

    def medians(self, ways: Sequence[str], once: Callable[[str], float]) -> dict[str, float]:
        """Return the median seconds of each way, of rounds in which each way has its turn."""
        taken = [{way: once(way) for way in ways} for _ in range(self.rounds)]
        return {way: statistics.median(row[way] for row in taken) for way in ways}


def main() -> int:
    """Print a row for each figure, with ok or MISS at its end."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    wanted = sys.argv[2:] or list(MEASURED)
    with bench(rounds) as shared:
        rows = [row for name in wanted for row in printed(MEASURED[name](shared))]
    print(f"{sum(rows)} of {len(rows)} rows are within their limits")
    return 0 if all(rows) else 1


@contextlib.contextmanager
def bench(rounds: int) -> Iterator[Bench]:
    """Yield what the measurements share; the images and folders of the benchmark are removed in the end."""
    client = next((found for found in clients.candidates()), None)
    if client is None:
        sys.exit("no client here speaks BuildKit: `s2i doctor --fix`")
    with tempfile.TemporaryDirectory(prefix="s2i-bench-") as home:
        variables = {"S2I_HOME": home, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{home}/pyc"}
        environment = {**os.environ, **command.environment(os.environ, client, connection.host(), 0), **variables}
        for name in ("SOURCE_DATE_EPOCH", "PYTHONDONTWRITEBYTECODE"):
            environment.pop(name, None)
        try:
            floors.make_base("3.13")
            yield Bench(Path(home), client, rounds, environment)
        finally:
            floors.remove_images("s2i-bench/")


def printed(rows: Iterator[Row]) -> Iterator[bool]:
    """Print each row as soon as it is measured."""
    for text, good in rows:
        print(f"{text} {'ok' if good else 'MISS'}", flush=True)
        yield good


def cold(shared: Bench) -> Iterator[Row]:
    """Measure a build of which no layer is kept. What was downloaded is, for s2i as for uv by hand."""
    for name in APPS:
        app = shared.app(name)
        took = shared.medians(WAYS, lambda way, app=app: shared.build(way, app, cold=True))  # type: ignore[misc]
        yield ratio(f"cold, {name}", took, "hand", 1.1)
        yield ratio(f"cold, {name}", took, "naive", 0.6)


def same(shared: Bench) -> Iterator[Row]:
    """Measure a build of what was built before."""
    for name in APPS:
        app = warm(shared, shared.app(name), ("hand", "s2i"))
        took = shared.medians(("hand", "s2i"), lambda way, app=app: shared.build(way, app))  # type: ignore[misc]
        yield later(f"nothing changed, {name}", took)


def line(shared: Bench) -> Iterator[Row]:
    """Measure a build after an edit."""
    for name in APPS:
        ways = WAYS if name == "science" else ("hand", "s2i")
        app = warm(shared, shared.app(name), ways)

        def once(way: str, app: App = app) -> float:
            app.edit()
            return shared.build(way, app)

        took = shared.medians(ways, once)
        yield later(f"one line changed, {name}", took)
        if name == "science":
            times = took["naive"] / took["s2i"]
            yield f"one line changed, {name}: naive is {times:.1f} times s2i (at least 8)", times >= 8


def dependency(shared: Bench) -> Iterator[Row]:
    """Measure a build after a dependency was added to the data-science job."""
    app = warm(shared, shared.app("science"), WAYS)

    def once(way: str) -> float:
        app.depend()
        return shared.build(way, app)

    took = shared.medians(WAYS, once)
    yield ratio("one dependency added, science", took, "naive", 0.2)
    yield ratio("one dependency added, science", took, "hand", 0.3)


def size(shared: Bench) -> Iterator[Row]:
    """Measure the images."""
    base = floors.image_size("s2i.local/python:3.13")
    yield f"size of the runtime base: {base / 1e6:.1f} MB (at most 65)", base <= 65e6
    for name in APPS:
        app = warm(shared, shared.app(name), ("naive", "s2i"))
        ours, naive = (floors.image_size(f"s2i-bench/{name}-{way}:latest") for way in ("s2i", "naive"))
        wheels = floors.unpacked(app.folder / "requirements.txt")
        text = f"size of {name}: {ours / 1e6:.0f} MB"
        floor, most = base + wheels, 0.65 if name == "science" else 0.45
        yield f"{text}, {ours / floor:.2f} times base and wheels (at most 1.2)", ours <= 1.2 * floor
        yield f"{text}, {ours / naive:.2f} times naive's {naive / 1e6:.0f} MB (at most {most})", ours <= most * naive


def deploy(shared: Bench) -> Iterator[Row]:
    """Measure from an edit to the new version serving."""
    app = warm(shared, shared.app("flask"), ("hand",))
    container = ""

    def once(way: str) -> float:
        nonlocal container
        app.edit()
        began = time.perf_counter()
        if way == "s2i":
            shared.timed((sys.executable, "-m", "s2i", "deploy", str(app.folder), "--name", "bench"))
            return time.perf_counter() - began
        shared.build(way, app)
        container = floors.serve("s2i-bench/flask-hand:latest", 8080)
        took = time.perf_counter() - began
        floors.stop(container)
        return took

    try:
        once("s2i")  # starts the server
        took = shared.medians(("hand", "s2i"), once)
        yield ratio("edit to new revision serving, flask", took, "hand", 1.2)
    finally:
        shared.timed((sys.executable, "-m", "s2i", "server", "stop", "--all", "--yes"))


def push(shared: Bench) -> Iterator[Row]:
    """Measure from an edit to the image in a registry on loopback."""
    app = shared.app("flask")
    with floors.registry(shared.home / "registry") as address:

        def once(way: str) -> float:
            app.edit()
            return shared.build(way, app, tag=f"{address}/bench/{way}:latest", push=True)

        for way in ("hand", "s2i"):
            once(way)
        yield later("one line changed and pushed, flask", shared.medians(("hand", "s2i"), once))


def warm(shared: Bench, app: App, ways: Sequence[str]) -> App:
    """Build once in each way, so that all that can be kept is kept."""
    for way in ways:
        shared.build(way, app)
    return app


def ratio(what: str, took: dict[str, float], other: str, most: float) -> Row:
    """Compare s2i with another way by their quotient."""
    times = took["s2i"] / took[other]
    return f"{what}: s2i {took['s2i']:.2f} s, {other} {took[other]:.2f} s: {times:.2f} (at most {most})", times <= most


def later(what: str, took: dict[str, float]) -> Row:
    """Compare s2i with a client by hand by their difference."""
    more = took["s2i"] - took["hand"]
    text = f"{what}: s2i {took['s2i'] * 1000:.0f} ms, by hand {took['hand'] * 1000:.0f} ms"
    return f"{text}: {more * 1000:+.0f} ms (at most +{LATER * 1000:.0f})", more <= LATER


MEASURED = {
    "cold": cold, "same": same, "line": line, "dependency": dependency, "size": size, "deploy": deploy, "push": push,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
