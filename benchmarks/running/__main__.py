"""Measure running apps against what carries them: the proxy without slots, an instance started by hand, a static store.

`python -m benchmarks.running [ROUNDS] [CASE...]`, on an engine that answers. Each row ends in ok or MISS.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator

from benchmarks.running.rest import rest
from benchmarks.running.scale import step
from benchmarks.running.server import ROOT, Row, Server, server
from benchmarks.running.start import zero
from benchmarks.running.switch import switch
from benchmarks.running.thousand import thousand
from benchmarks.running.traffic import NAME, limited, throughput

PORT, OTHER_PORT = 18800, 18700
ROUNDS = 20
WORLD = "thousand"  # a case with a server of its own


def main() -> int:
    """Print a row for each figure."""
    words = sys.argv[1:]
    rounds = int(words.pop(0)) if words and words[0].isdigit() else ROUNDS
    rows: list[bool] = []
    words = words or [*CASES, WORLD]
    if unknown := set(words) - {*CASES, WORLD}:
        sys.exit(f"no such case: {' '.join(sorted(unknown))}; there are {' '.join(CASES)} {WORLD}")
    if chosen := [case for name, case in CASES.items() if name in words]:
        with server(PORT, rounds) as shared:
            shutil.copytree(ROOT / "fixtures/flask-hello/app", shared.home / "src")
            shared.s2i("deploy", str(shared.home / "src"), "--name", NAME)
            shared.s2i("app", "scale", NAME, "--min-scale", "1")
            rows += [row for case in chosen for row in printed(case(shared))]
    if WORLD in words:
        with server(OTHER_PORT, rounds) as shared:
            rows += printed(thousand(shared))
    print(f"{sum(rows)} of {len(rows)} rows are within their limits")
    return 0 if all(rows) else 1


def printed(rows: Iterator[Row]) -> Iterator[bool]:
    """Print each row as it comes."""
    for text, well in rows:
        print(f"{text} {'ok' if well else 'MISS'}", flush=True)
        yield well


CASES: dict[str, Callable[[Server], Iterator[Row]]] = {
    "rest": rest,  # first: what a load leaves behind is a row of its own
    "throughput": throughput,
    "limited": limited,
    "zero": zero,
    "switch": switch,
    "step": step,
}


if __name__ == "__main__":
    sys.exit(main())
