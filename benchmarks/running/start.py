"""From nothing to the first answer, against the same container started by hand."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from benchmarks.running.server import Row, Server, address, first_answer
from benchmarks.running.traffic import NAME


def zero(shared: Server) -> Iterator[Row]:
    """From nothing to the first answer: through the router, by hand in a sandbox, by hand on a bridge."""
    shared.s2i("app", "scale", NAME, "--min-scale", "0", "--window", "6")
    image = shared.data("app", "get", NAME)["image"]
    taken: dict[str, list[float]] = {"s2i": [], "sandbox": [], "bridge": []}
    for _ in range(shared.rounds):
        shared.until(NAME, lambda found: bool(found["status"] == "asleep"))
        time.sleep(0.5)  # the container that waits is made
        box = shared.boxes(NAME)[0]
        taken["sandbox"].append(by_hand(shared, image, f"container:{box.id}", address(box)))
        taken["bridge"].append(by_hand(shared, image, "bridge", ""))
        began = time.monotonic()
        first_answer(f"127.0.0.1:{shared.port}", f"{NAME}.default.localhost")
        taken["s2i"].append(time.monotonic() - began)
    shared.s2i("app", "scale", NAME, "--min-scale", "1", "--window", "60")
    middle = {way: statistics.median(found) for way, found in taken.items()}
    worst = max(taken["s2i"]) / middle["sandbox"]
    shown = ", ".join(f"{way} {seconds * 1000:.0f} ms" for way, seconds in middle.items())
    for way, most in (("sandbox", 1.15), ("bridge", 0.6)):
        share = middle["s2i"] / middle[way]
        yield f"first answer from zero ({shown}): {share:.2f} of {way} (at most {most})", share <= most
    yield f"first answer from zero, the slowest of {shared.rounds}: {worst:.2f} of sandbox (at most 2)", worst <= 2


def by_hand(shared: Server, image: str, network: str, where: str) -> float:
    """Return the seconds from starting a container to its first answer; one on a bridge is created as well."""
    began = time.monotonic()
    container = shared.engine.containers.create(image, network_mode=network, environment={"PORT": "8080"}, init=True)
    if where:
        began = time.monotonic()
    try:
        container.start()
        if not where:
            container.reload()
            where = f"{container.attrs['NetworkSettings']['IPAddress']}:8080"
        first_answer(where, "bench")
        return time.monotonic() - began
    finally:
        container.remove(force=True)
