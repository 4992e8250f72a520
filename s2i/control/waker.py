"""Hold a request for which no instance listens, and say where it can go as soon as one does."""

from __future__ import annotations

import collections
import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from s2i.control.fleet import Fleet, Place
from s2i.control.watch import Slot, slot
from s2i.engines.engine import Workload
from s2i.resources.app import App

WAIT_SECONDS = 60.0  # as a new revision has
QUEUE_LIMIT = 1000  # requests of one app that wait
PAUSE_SECONDS = 0.002
LOOK_SECONDS = 0.25  # between two looks that are asked for while nothing listens
CONNECT_SECONDS = 1.0

Name = tuple[str, str]  # project, app


class Target(msgspec.Struct, frozen=True):
    """One app as the loop last saw it: the fleets of the revisions that get requests, and of the one that is to."""

    app: App
    fleets: Mapping[int, Fleet]

    @property
    def places(self) -> tuple[Place, ...]:
        """The places a request may be sent to, of each revision by its percent at random; those that sleep, too."""
        percents = {number: percent for number, percent in self.app.percents.items() if number in self.fleets}
        if not percents:
            return ()
        chosen = self.fleets[random.choices(list(percents), list(percents.values()))[0]]  # noqa: S311 - no secret
        return chosen.places or tuple(filter(None, (chosen.asleep,)))


class Waker:
    """The requests that wait. ``look`` asks the loop to look, and returns when it has; ``start`` starts an instance.

    ``is_ending``: the instance of a slot is being ended, and is none to send a request to. ``listens`` says whether an
    address takes connections; ``clock`` is monotonic.
    """

    def __init__(
        self,
        targets: Callable[[], Mapping[Name, Target]],
        look: Callable[[], None],
        start: Callable[[Workload], None],
        *,
        is_ending: Callable[[Slot], bool] = lambda one: False,
        listens: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._targets, self._look, self._start, self._is_ending = targets, look, start, is_ending
        self._listens, self._clock = listens or is_listened_on, clock
        self._lock = threading.Lock()
        self._held: collections.Counter[Name] = collections.Counter()
        self._most: dict[Name, int] = {}
        self._taken: dict[Name, int] = {}

    def awake(self) -> frozenset[Name]:
        """Return the apps for which a request waits, or has waited and is not ``counted`` yet."""
        with self._lock:
            return frozenset((*self._most, *self._taken))

    def take(self) -> dict[Name, int]:
        """Return the most requests that waited at once, by app, since this was asked last."""
        with self._lock:
            self._taken, self._most = self._most, dict(self._held)
            return dict(self._taken)

    def counted(self) -> None:
        """Let those that were taken sleep again: whoever decides about instances has counted their requests."""
        with self._lock:
            self._taken = {}

    def hold(self, name: Name) -> None:
        """Count a request that waits, whoever holds it."""
        with self._lock:
            self._held[name] += 1
            self._most[name] = max(self._most.get(name, 0), self._held[name])

    def let_go(self, name: Name) -> None:
        """Count it no longer."""
        with self._lock:
            self._held[name] -= 1
            if not self._held[name]:
                del self._held[name]

    def wake(self, project: str, app: str, limit: float = WAIT_SECONDS) -> str | None:
        """Return the address of an instance that takes connections, started for it when the app sleeps.

        None: there is none within ``limit`` seconds, none will be, or too many wait already.
        """
        name, until = (project, app), self._clock() + limit
        with self._waiting(name) as may_wait:
            looked = float("-inf")
            while may_wait and (now := self._clock()) < until:
                places = target.places if (target := self._targets().get(name)) else ()
                for place in random.sample(places, len(places)):
                    if place.address and not self._is_ending(slot(place.work.owner)) and self._listens(place.address):
                        return place.address
                if now - looked >= LOOK_SECONDS:
                    if looked < 0:
                        self._begin(places, now)
                    self._look()
                    looked = self._clock()
                    target = self._targets().get(name)
                    if target is None or target.app.stopped or _rests(target, until):
                        return None
                    continue
                time.sleep(PAUSE_SECONDS)
        return None

    def _begin(self, places: tuple[Place, ...], now: float) -> None:
        # Not left to the loop, which looks at everything first: somebody waits.
        for place in places:
            if place.address and not place.alive and now >= place.note.retry_at:
                self._start(place.work)

    @contextlib.contextmanager
    def _waiting(self, name: Name) -> Iterator[bool]:
        self.hold(name)
        try:
            yield self._held[name] <= QUEUE_LIMIT
        finally:
            self.let_go(name)


def is_listened_on(address: str) -> bool:
    """Say whether "ip:port" takes a connection."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _rests(target: Target, until: float) -> bool:
    """Say whether nothing will run before ``until``: all has crashed too often."""
    places = [place for fleet in target.fleets.values() for place in (*fleet.places, *filter(None, (fleet.asleep,)))]
    return not any(place.alive or place.note.retry_at < until for place in places)
