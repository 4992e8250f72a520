"""From one instance to eight and back, under a step of load: how soon they are wanted, and what is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.redeploy import Load
from benchmarks.running.server import Row, Server
from benchmarks.running.switch import source
from benchmarks.running.traffic import wrk

SCALED = "scaled"
MOST = 8
TARGET = 10  # requests under way at one instance; 0.7 of it is what one is meant to have
UNDER_WAY = 64
LOAD_SECONDS = 12
WINDOW = 6
BACK_SECONDS = 120.0


def step(shared: Server) -> Iterator[Row]:
    """A steady trickle of requests all along; for a while UNDER_WAY more that take half a second each."""
    shared.s2i("deploy", str(source(shared)), "--name", SCALED)
    wish = ("--min-scale", "1", "--max-scale", str(MOST), "--concurrency-target", str(TARGET), "--window", str(WINDOW))
    shared.s2i("app", "scale", SCALED, *wish)
    shared.until(SCALED, lambda found: bool(found["running"] == 1))
    time.sleep(WINDOW + 1)  # what is known of it is that nobody asked
    trickle = Load("127.0.0.1", shared.port, f"{SCALED}.default.localhost")
    trickle.start()
    try:
        time.sleep(1)
        began = time.time()
        wrk(f"http://127.0.0.1:{shared.port}/?0.5", f"{SCALED}.default.localhost", LOAD_SECONDS, UNDER_WAY)
        most = shared.api(f"/v1/projects/default/apps/{SCALED}")["running"]
        shared.until(SCALED, lambda found: bool(found["running"] == 1), BACK_SECONDS)
        time.sleep(2)
    finally:
        trickle.stop()
    log = shared.api(f"/v1/projects/default/apps/{SCALED}/scale-log")
    wanted = next((one["at"] - began for one in log if one["decision"]["wanted"] == MOST), float("inf"))
    shared.s2i("app", "delete", SCALED, "--yes")
    yield f"a step of load: {MOST} instances are wanted after {wanted:.1f} s (at most 2; {most} ran)", wanted <= 2
    lost, every = len(trickle.failures), len(trickle.seconds)
    yield f"from 1 to {MOST} and back to 1: {lost} of {every} other requests lost (at most 0)", not lost
