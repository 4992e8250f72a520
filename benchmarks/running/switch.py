"""An update: from the first answer of the new instance, asked directly, to its first answer through the router."""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.running.server import Row, Server, address, ask

UPDATED = "updated"
COME_SECONDS = 60.0
PAUSE = 0.002

CODE = """\
import socket, time

def application(environ, start_response):
    time.sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [socket.gethostname().encode()]
"""


def switch(shared: Server) -> Iterator[Row]:
    """Restart an app again and again: what that rolls out is a revision like any other."""
    shared.s2i("deploy", str(source(shared)), "--name", UPDATED)
    shared.s2i("app", "scale", UPDATED, "--min-scale", "1")
    shared.until(UPDATED, lambda found: bool(found["running"]))
    took = [one_switch(shared) * 1000 for _ in range(shared.rounds)]
    middle, worst = statistics.median(took), max(took)
    shared.s2i("app", "delete", UPDATED, "--yes")
    yield (
        f"from ready to the first answer of the new revision: {middle:.0f} ms (at most 50; {worst:.0f} at most)",
        (middle <= 50),
    )


def source(shared: Server) -> Path:
    """Return a folder with a tiny app: it says on which host it runs, after so many seconds as it is asked to wait."""
    folder = shared.home / "tiny"
    folder.mkdir(exist_ok=True)
    (folder / "app.py").write_text(CODE)
    return folder


def one_switch(shared: Server) -> float:
    """Return the seconds between the two first answers of a new instance."""
    old = shared.boxes(UPDATED)[0]
    router, host = f"127.0.0.1:{shared.port}", f"{UPDATED}.default.localhost"
    was = ask(router, host)
    first: dict[str, float] = {}

    def watch(where: str, what: str) -> None:
        until = time.monotonic() + COME_SECONDS
        while time.monotonic() < until:
            if ask(where, host) not in (None, was):
                first[what] = time.monotonic()
                return
            time.sleep(PAUSE)

    through = threading.Thread(target=watch, args=(router, "router"))
    through.start()
    restart = threading.Thread(target=shared.s2i, args=("app", "restart", UPDATED))
    restart.start()
    until = time.monotonic() + COME_SECONDS
    while (new := shared.boxes(UPDATED)[0]).id == old.id and time.monotonic() < until:
        time.sleep(PAUSE)
    watch(address(new), "itself")
    through.join()
    restart.join()
    shared.until(UPDATED, lambda found: bool(found["status"] == "ready"))
    if len(first) < 2:
        sys.exit(f"no answer of a new revision: {first}")
    while len(shared.boxes(UPDATED)) > 1:  # the one before is let go
        time.sleep(0.05)
    return first["router"] - first["itself"]
