"""Measure what `s2i plan` costs: time and memory, of a small app, of a large tree, of hostile ones. Exit 1 on a MISS.

Whole processes, run in turn so that a busy machine slows both: `python -m benchmarks.plan [ROUNDS]`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import hostile, trees
from s2i.sources.workspace import remove

ROOT = Path(__file__).resolve().parents[1]
SMALL = ROOT / "fixtures/flask-hello/app"
START = "import sys; from s2i.cli import main; sys.exit(main())"  # what the installed `s2i` script does
IMPORTS = (sys.executable, "-c", "import click, msgspec, tomllib, ast")
# What any program that reads the code has to do: ask Git for the files, and parse those that are Python.
PARSE = (
    "import ast, subprocess\n"
    "for path in subprocess.run(('git', 'ls-files', '-z'), check=True, capture_output=True).stdout.split(b'\\0'):\n"
    "    if path.endswith(b'.py'):\n"
    "        with open(path, 'rb') as file: ast.parse(file.read())\n"
)
MOST_SMALL, MOST_LARGE = 1.8, 2.0  # times the floor's seconds
# Times the floor's memory, which has one file in it at a time. Ours holds the text of all modules (10 MB here) while
# it finds out which matter, and what it knows of each: as much again as the floor's interpreter, and a half for both.
MOST_MEMORY = 3.0
MOST_SECONDS, MOST_MEGABYTES = 2.0, 300.0  # of a hostile tree
TRIES = 3  # the fastest counts: a busy machine is no fault of ours


class Cost(NamedTuple):
    """One process: wall-clock seconds, megabytes at its peak, exit status, standard error."""

    seconds: float
    megabytes: float
    code: int
    errors: bytes = b""


def main() -> int:
    """Print a row for each figure, with ok or MISS at its end."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with tempfile.TemporaryDirectory() as home:
        # Both run from compiled modules, as an installed s2i does, whatever this shell's settings are.
        environment = {**os.environ, "S2I_HOME": home, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{home}/pyc"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        rows = [_small(rounds, environment)]
        large = Path(home, "large")
        large.mkdir()
        rows += _large(max(3, rounds // 8), trees.grown(large), environment)
        rows += [_hostile(tree, Path(home, "hostile"), environment) for tree in hostile.trees()]
    print(f"{sum(rows)} of {len(rows)} rows are within their limits")
    return 0 if all(rows) else 1


def _small(rounds: int, environment: dict[str, str]) -> bool:
    pairs = _interleaved(rounds, IMPORTS, SMALL, environment)
    floor, plan = (statistics.median(cost.seconds for cost in column) for column in zip(*pairs, strict=True))
    times = f"small app: imports alone {floor * 1000:.1f} ms, s2i plan {plan * 1000:.1f} ms"
    return _row(f"{times}: {plan / floor:.2f} times (at most {MOST_SMALL})", plan / floor <= MOST_SMALL)


def _large(rounds: int, tree: Path, environment: dict[str, str]) -> list[bool]:
    pairs = _interleaved(rounds, (sys.executable, "-c", PARSE), tree, environment)
    floors, plans = zip(*pairs, strict=True)
    floor, plan = (statistics.median(cost.seconds for cost in column) for column in (floors, plans))
    times = f"5,000 files: git ls-files and ast.parse {floor:.2f} s, s2i plan {plan:.2f} s"
    fast = _row(f"{times}: {plan / floor:.2f} times (at most {MOST_LARGE})", plan / floor <= MOST_LARGE)
    least, most = min(cost.megabytes for cost in floors), max(cost.megabytes for cost in plans)
    peaks = f"5,000 files, peak memory: git ls-files and ast.parse {least:.0f} MB, s2i plan {most:.0f} MB"
    return [fast, _row(f"{peaks}: {most / least:.2f} times (at most {MOST_MEMORY})", most / least <= MOST_MEMORY)]


def _hostile(tree: hostile.Hostile, root: Path, environment: dict[str, str]) -> bool:
    root.mkdir()
    try:
        _aside(tree, root)
        costs: list[Cost] = []
        while len(costs) < TRIES and not any(cost.seconds <= MOST_SECONDS for cost in costs):
            costs.append(_plan(root, environment))
    finally:
        remove(root)
    best, most = min(costs), max(cost.megabytes for cost in costs)
    found = json.loads(best.errors)["error"]["code"] if best.code in (3, 4) else ""
    good = found == tree.outcome and (found != "" or best.code == 0)
    said = found or ("a plan" if best.code == 0 else f"exit {best.code}")
    limits = f"(at most {MOST_SECONDS:.0f} s, {MOST_MEGABYTES:.0f} MB)"
    return _row(
        f"{tree.name}: {said}, {best.seconds:.2f} s, {most:.0f} MB {limits}",
        good and best.seconds <= MOST_SECONDS and most <= MOST_MEGABYTES,
    )


def _aside(tree: hostile.Hostile, root: Path) -> None:
    """Make a tree in a process of its own: what a child is measured to have had begins with what its parent has."""
    if child := os.fork():
        if os.waitpid(child, 0)[1]:
            raise RuntimeError(f"cannot make {tree.name}")
        return
    status = 1
    try:
        tree.make(root)
        status = 0
    finally:
        os._exit(status)


def _interleaved(rounds: int, floor: Sequence[str], tree: Path, environment: dict[str, str]) -> list[tuple[Cost, Cost]]:
    _measure(floor, tree, environment)
    _plan(tree, environment)
    return [(_measure(floor, tree, environment), _plan(tree, environment)) for _ in range(rounds)]


def _plan(tree: Path, environment: dict[str, str]) -> Cost:
    return _measure((sys.executable, "-c", START, "plan", "--output", "json", "."), tree, environment)


def _measure(argv: Sequence[str], folder: Path, environment: dict[str, str]) -> Cost:
    """Run a process in ``folder`` and return what it, with its children, took."""
    with tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(argv, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        return Cost(took, used.ru_maxrss / 1024, process.returncode, errors.read())


def _row(text: str, good: bool) -> bool:
    print(f"{text} {'ok' if good else 'MISS'}", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
