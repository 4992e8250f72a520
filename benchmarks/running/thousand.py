"""1,000 apps and 3,000 revisions, of which 20 apps run: what it costs to list them, to look after them, to route.

The store is filled through Store, the proxy has a route for each app. A round is one `Loop.step()` in this process,
with the real engine and proxy: the processor time of its thread. What a server itself takes is in the last row.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from unittest import mock

import msgspec

from benchmarks.running.rest import taken
from benchmarks.running.server import Row, Server, address, ask, first_answer
from benchmarks.running.switch import source
from s2i.control.assembly import assemble
from s2i.control.platform import Platform
from s2i.control.store import Store
from s2i.resources.app import Deployment, Event, Revision
from s2i.resources.change import Change
from s2i.router.router import SLOTS, Route, route_of

APPS, REVISIONS, RUNNING = 1000, 3, 20
TRIES = 15
COME_SECONDS = 120.0


def thousand(shared: Server) -> Iterator[Row]:
    """All rows of the world with 1,000 apps."""
    shared.s2i("deploy", str(source(shared)), "--name", name(0), "--no-prove")
    shared.s2i("server", "stop")
    fill(shared)
    with platform(shared) as found:
        come_up(found)
        yield from rounds(found)
        yield from routes(shared, found)
    shared.s2i("server", "start")
    shared.until(name(RUNNING - 1), lambda app: bool(app["running"]))
    yield from listing(shared)
    size, share = taken(shared)
    yield f"{APPS} apps at rest: {size:.0f} MB with the proxy, {share:.2f} % of a core (no bound)", True


def name(number: int) -> str:
    """Return the name of an app."""
    return f"app-{number:04}"


def fill(shared: Server) -> None:
    """Write the apps down, with one image for all: the first RUNNING are never to sleep."""
    store = Store(shared.home / "state/s2i.db")
    made = store.revision("default", name(0), 1)
    store.open_deployment(Deployment("fill", "default", "fill", "src", "building", made.created))
    for number in range(APPS):
        known = len(store.revisions("default", name(number)))
        for _ in range(REVISIONS - known):
            one = Revision("default", name(number), 0, made.image, made.config, "src", created=made.created)
            store.mark_serving("default", name(number), store.accept_revision(one, "fill").number)
        store.change_settings("default", name(number), Change(scale={"min": int(number < RUNNING)}))
    store.change_deployment("fill", status="ready")
    known_routes = [msgspec.to_builtins(route_of(app)) for app in store.apps()]
    store.close()
    kept = {"port": shared.port, "first": shared.port, "routes": known_routes}
    (shared.home / "state/routes.json").write_text(json.dumps(kept))


@contextlib.contextmanager
def platform(shared: Server) -> Iterator[Platform]:
    """Yield the parts of a server of this process, none of which runs by itself."""
    with mock.patch.dict(os.environ, shared.environment):
        found = assemble()
        try:
            yield found
        finally:
            found.router.stop()
            found.store.close()


def come_up(found: Platform) -> None:
    """Step until all that is to run has requests sent to it."""
    until = time.monotonic() + COME_SECONDS
    while sum(bool(found.router.pointed("default", name(n))) for n in range(RUNNING)) < RUNNING:
        if time.monotonic() > until:
            sys.exit("the instances do not come up")
        time.sleep(min(found.loop.step(), 0.1))
    for _ in range(3):
        time.sleep(0.5)
        found.loop.step()


def rounds(found: Platform) -> Iterator[Row]:
    """The processor time of one round: when nothing has changed, and when something in the store has."""
    for what in ("nothing", "something"):
        costs = []
        for _ in range(TRIES):
            if what == "something":
                found.store.record(Event(time.time(), "default", name(1), "told"))
            began = time.thread_time()
            found.loop.step()
            costs.append(time.thread_time() - began)
        cost = statistics.median(costs) * 1000
        yield f"{APPS} apps, one round when {what} has changed: {cost:.0f} ms of CPU (at most 100)", cost <= 100


def routes(shared: Server, found: Platform) -> Iterator[Row]:
    """The time until requests go elsewhere, and until the proxy has one route more."""
    server, host = found.store.server, f"{name(1)}.default.localhost"
    boxes = [shared.engine.containers.get(f"s2i-{server}.default.{name(n)}.r{REVISIONS}-0.sandbox") for n in (1, 2)]
    ways = [(address(box), ask(address(box), host)) for box in boxes]
    took = []
    for turn in range(TRIES):
        to, other = ways[turn % 2 - 1][0], ways[turn % 2][1]
        began = time.monotonic()
        found.router.point("default", name(1), {to: SLOTS})
        first_answer(f"127.0.0.1:{shared.port}", host, other or b"")
        took.append(time.monotonic() - began)
    one = statistics.median(took) * 1000
    yield f"{APPS} apps, until requests go elsewhere: {one:.1f} ms (at most 50)", one <= 50
    adding = [seconds(functools.partial(found.router.add, Route("default", f"new-{n}"))) for n in range(5)]
    two = statistics.median(adding) * 1000
    yield f"{APPS} apps, until the proxy has one route more: {two:.0f} ms (at most 50)", two <= 50


def listing(shared: Server) -> Iterator[Row]:
    """The whole command, and its one call."""
    ways: dict[str, Callable[[], object]] = {
        "command": lambda: shared.s2i("app", "list"),
        "call": lambda: shared.api("/v1/projects/default/apps"),
        "version": lambda: shared.s2i("--version"),
    }
    costs = [{way: seconds(work) for way, work in ways.items()} for _ in range(TRIES)]
    took, call, version = (statistics.median(one[way] for one in costs) * 1000 for way in ways)
    parts = f"its call {call:.0f}, `s2i --version` {version:.0f}"
    yield f"{APPS} apps, `app list`: {took:.0f} ms (at most 300; {parts})", took <= 300


def seconds(work: Callable[[], object]) -> float:
    """Return how long ``work`` takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began
