"""Hold requests for which no instance listens, and say where they can go as soon as one does."""

from __future__ import annotations

import collections
import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from s2i.control.beat import in_thread
from s2i.control.fleet import Fleet, Place
from s2i.control.watch import Slot, slot
from s2i.engines.engine import Workload
from s2i.resources.app import App

WAIT_SECONDS = 60.0  # as a new revision has
QUEUE_LIMIT, QUEUE_LIMIT_ALL = 1000, 4000  # requests that wait, of one app and of all
PAUSE_SECONDS, PAUSE_SHARE, PAUSE_LIMIT = 0.002, 0.01, 0.1  # between two looks: a hundredth of what it has taken so far
LOOK_SECONDS = 0.25  # between two looks that are asked for while nothing listens
CONNECT_SECONDS = 1.0

Name = tuple[str, str]  # project, app
Answer = Callable[[str | None], None]

_log = logging.getLogger(__name__)


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


class Held(msgspec.Struct, eq=False):
    """One request that waits, until ``until`` (monotonic)."""

    answer: Answer
    until: float
    begun: bool = False  # what it would be sent to was started


class Waker:
    """The requests that wait. ``look`` asks the loop to look, and returns when it has; ``start`` starts an instance.

    ``is_ending``: the instance of a slot is being ended, and is none to send a request to. ``listens`` says whether an
    address takes connections; ``clock`` is monotonic; ``spawn`` runs what sees to one app, beside everything else.
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
        spawn: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._targets, self._look, self._start, self._is_ending = targets, look, start, is_ending
        self._listens, self._clock, self._spawn = listens or is_listened_on, clock, spawn or in_thread
        self._lock = threading.RLock()
        self._waiting: dict[Name, dict[int, Held]] = {}  # by identity, of the apps that are seen to
        self._held: collections.Counter[Name] = collections.Counter()
        self._most: dict[Name, int] = {}
        self._taken: dict[Name, int] = {}

    # How many wait

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

    def let_go(self, name: Name, *, gone: bool = False) -> None:
        """Count it no longer; those whose clients are ``gone`` were no load, but one: it wakes, and may come again."""
        with self._lock:
            self._held[name] -= 1
            if gone and name in self._most:
                self._most[name] = max(self._most[name] - 1, self._held[name], 1)
            if not self._held[name]:
                del self._held[name]

    # Those that wait here

    def ask(self, project: str, app: str, lost: str, answer: Answer, limit: float = WAIT_SECONDS) -> Callable[[], None]:
        """Have ``answer`` called with the address of an instance that takes connections, started when the app sleeps.

        With None when there is none within ``limit`` seconds, none will be, or too many wait already. Returns what to
        call when the request is over, or its client gone.
        """
        name = project, app
        one = Held(answer, self._clock() + limit)
        with self._lock:
            waiting = self._waiting.get(name)
            full = len(waiting or ()) >= QUEUE_LIMIT or sum(map(len, self._waiting.values())) >= QUEUE_LIMIT_ALL
            if not full:
                self.hold(name)
                self._waiting.setdefault(name, {})[id(one)] = one
        if full:
            answer(None)
        elif waiting is None:
            self._spawn(lambda: self._see_to(name))
        return lambda: self._leave(name, one)

    def _leave(self, name: Name, one: Held) -> None:
        with self._lock:
            if self._waiting.get(name, {}).pop(id(one), None):
                self.let_go(name, gone=True)

    def _answer(self, name: Name, one: Held, address: str | None) -> None:
        with self._lock:
            if not self._waiting[name].pop(id(one), None):
                return
            self.let_go(name)
        one.answer(address)

    def _those(self, name: Name) -> list[Held]:
        """Return who waits for an app, the first first. Nobody: whoever comes next has it seen to anew."""
        with self._lock:
            if found := list(self._waiting[name].values()):
                return found
            del self._waiting[name]
            return []

    def _see_to(self, name: Name) -> None:
        """Answer those that wait for one app until nobody does: one at work for all of them, however many come."""
        began, looked = self._clock(), float("-inf")
        try:
            while waiting := self._those(name):
                now = self._clock()
                left = self._send(name, waiting, now)
                if not left:
                    continue
                if now - looked >= LOOK_SECONDS:
                    self._look()
                    looked = self._clock()
                    self._refuse(name, left)
                    continue
                time.sleep(min(max(PAUSE_SECONDS, (now - began) * PAUSE_SHARE), PAUSE_LIMIT))
        except Exception:  # noqa: BLE001 - those that wait are answered, whatever it is
            _log.exception("waking %s of %s failed", name[1], name[0])
            while waiting := self._those(name):
                for one in waiting:
                    self._answer(name, one, None)

    def _send(self, name: Name, waiting: list[Held], now: float) -> list[Held]:
        """Send each to an instance that listens, if one does; give up on who has waited too long; return the rest."""
        left: list[Held] = []
        target = self._targets().get(name)
        listening = self._listening(target)
        starting: set[Slot] = set()
        for one in waiting:
            if now >= one.until:
                self._answer(name, one, None)
                continue
            places = target.places if target and (listening or not one.begun) else ()
            if found := [place.address for place in places if place.address in listening]:
                self._answer(name, one, random.choice(found))  # noqa: S311 - no secret
                continue
            if target:
                self._begin(one, places, starting, now)
            left.append(one)
        return left

    def _listening(self, target: Target | None) -> frozenset[str]:
        """Return the addresses of an app that take connections: each is asked once, however many wait."""
        places = {place.address: place for fleet in target.fleets.values() for place in _all(fleet)} if target else {}
        return frozenset(
            address
            for address, place in places.items()
            if address and not self._is_ending(slot(place.work.owner)) and self._listens(address)
        )

    def _begin(self, one: Held, places: tuple[Place, ...], starting: set[Slot], now: float) -> None:
        # Not left to the loop, which looks at everything first: somebody waits.
        if one.begun:
            return
        one.begun = True
        for place in places:
            at = slot(place.work.owner)
            if place.address and not place.alive and now >= place.note.retry_at and at not in starting:
                starting.add(at)
                self._start(place.work)

    def _refuse(self, name: Name, waiting: list[Held]) -> None:
        """Tell those for whom nothing will run."""
        target = self._targets().get(name)
        for one in waiting:
            if target is None or target.app.stopped or _rests(target, one.until):
                self._answer(name, one, None)


def is_listened_on(address: str) -> bool:
    """Say whether "ip:port" takes a connection."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except OSError:
        return False
    return True


def _all(fleet: Fleet) -> tuple[Place, ...]:
    return (*fleet.places, *filter(None, (fleet.asleep,)))


def _rests(target: Target, until: float) -> bool:
    """Say whether nothing will run before ``until``: all has crashed too often."""
    places = [place for fleet in target.fleets.values() for place in _all(fleet)]
    return not any(place.alive or place.note.retry_at < until for place in places)
