"""What a server and its proxy take while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.running.server import Row, Server, cpu, memory
from benchmarks.running.traffic import LOAD_SECONDS, NAME, wrk

REST_SECONDS = 20.0
SETTLE_SECONDS = 15.0  # a revision that has just taken over is watched closely for ten


def rest(shared: Server) -> Iterator[Row]:
    """At rest, with one app: before it was asked anything, and after a load."""
    time.sleep(SETTLE_SECONDS)
    size, share = taken(shared)
    yield f"at rest: {share:.2f} % of a core (at most 0.5)", share <= 0.5
    yield f"at rest: {size:.0f} MB with the proxy (at most 120)", size <= 120
    for _ in range(3):
        wrk(f"http://127.0.0.1:{shared.port}/", f"{NAME}.default.localhost", LOAD_SECONDS)
    time.sleep(3)
    size, _ = taken(shared)
    yield f"at rest, after a load: {size:.0f} MB with the proxy (at most 120)", size <= 120


def taken(shared: Server) -> tuple[float, float]:
    """Return the megabytes of the server and its proxy, and the percent of a core that they take."""
    pids = shared.pids()
    before = sum(map(cpu, pids))
    time.sleep(REST_SECONDS)
    share = (sum(map(cpu, pids)) - before) / REST_SECONDS * 100
    return sum(map(memory, pids)) / 1e6, share
