"""Give each request of an app with a limit an instance that has room, in the order in which they came.

Its leases are exact: one is given before the proxy sends the request, and comes back when it is over (router/desk.py).
What was under way before anybody counted, when this server started or when the limit was set, is read from the proxy.
"""

from __future__ import annotations

import collections
import random
import time
from collections.abc import Callable, Mapping

import msgspec

from s2i.control.beat import in_thread
from s2i.control.fleet import Name
from s2i.control.waker import WAIT_SECONDS, Answer, Target, Waker
from s2i.router.router import Router

QUEUE_EACH = 250  # requests that may wait, for each instance that is wanted
LOST_SECONDS = 1.0  # an address that took no connection is given again after: the loop has looked by then
SETTLED_SECONDS = 1.0  # a lease that is older has long been a request that the proxy counts
TICK_SECONDS, IDLE_SECONDS, NOBODY_SECONDS = 0.005, 0.5, 60.0  # while somebody waits, while something is known, else
LOOK_SECONDS = 0.25  # between two attempts to wake an app


def choose(shares: Mapping[str, int], busy: Mapping[str, int], limit: int, at: float) -> str | None:
    """Return an address of ``shares`` at which fewer than ``limit`` requests are ``busy``, by its share, else None.

    ``at`` from 0 to 1 (excluded) picks among them.
    """
    free = {address: share for address, share in shares.items() if busy.get(address, 0) < limit}
    left = at * sum(free.values())
    for address, share in free.items():
        left -= share
        if left < 0:
            return address
    return next(reversed(free), None)


def still_strange(strange: int, counted: int, settled: int) -> int:
    """Return how many requests are under way at an address that no lease knows of, at most.

    ``strange`` were before, the proxy has ``counted`` so many in all, ``settled`` of them are leases for certain.
    """
    return max(min(strange, counted - settled), 0)


class Claim(msgspec.Struct, eq=False):
    """One request: it waits while ``address`` is None, then it is under way there. Times are monotonic."""

    name: Name
    answer: Answer
    since: float
    until: float
    address: str | None = None
    counted: bool = False  # among those that wait for an instance


class _App(msgspec.Struct):
    """One app with a limit: who waits, which leases there are, and what no lease knows of, by address."""

    waiting: dict[int, Claim] = {}  # by identity, in the order in which they came
    leases: dict[str, dict[int, Claim]] = {}
    strange: dict[str, int] = {}  # of the addresses that have been looked at
    lost: dict[str, float] = {}  # until when
    waking: Callable[[], None] | None = None  # how to end that
    woken: float = float("-inf")


class Throttle:
    """Decides for the turnstile, in its thread. ``targets``: the apps as the loop last saw them; ``clock``: monotonic.

    ``spawn`` runs what takes long beside it, ``pick`` gives a number from 0 to 1.
    """

    def __init__(
        self,
        router: Router,
        targets: Callable[[], Mapping[Name, Target]],
        waker: Waker,
        *,
        spawn: Callable[[Callable[[], None]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        pick: Callable[[], float] = random.random,
    ) -> None:
        self._router, self._targets, self._waker = router, targets, waker
        self._spawn, self._clock, self._pick = spawn or in_thread, clock, pick
        self._apps: dict[Name, _App] = {}
        self._results: collections.deque[Callable[[], None]] = collections.deque()  # what came of what was spawned
        self._reading = False

    def ask(self, project: str, app: str, lost: str, answer: Answer) -> Callable[[], None]:
        """Have ``answer`` called with an address when there is room, or with None. Returns how to end the request."""
        name, now = (project, app), self._clock()
        target = self._targets().get(name)
        limit = min(WAIT_SECONDS, target.app.routing.request_timeout) if target else WAIT_SECONDS
        claim = Claim(name, answer, now, now + limit)
        known = self._apps.setdefault(name, _App())
        if lost:
            known.lost[lost] = now + LOST_SECONDS
        if (target and target.app.stopped) or len(known.waiting) >= QUEUE_EACH * _instances(target):
            answer(None)
            return lambda: None
        known.waiting[id(claim)] = claim
        if len(known.waiting) == 1:
            self._serve(name, known, now)
        if id(claim) in known.waiting:  # the autoscaler counts it here, and those under way at the proxy
            claim.counted = True
            self._waker.hold(name)
        return lambda: self._over(claim)

    def tick(self) -> float:
        """Take up what was found out, give up on who has waited too long, and serve the others."""
        now = self._clock()
        while self._results:
            self._results.popleft()()
        targets = self._targets()
        for name, known in list(self._apps.items()):
            for claim in [claim for claim in known.waiting.values() if claim.until <= now]:
                self._answer(known, claim, None)
            if known.waiting:
                self._serve(name, known, now)
            limited = (target := targets.get(name)) is not None and target.app.scale.concurrency > 0
            if targets and not limited:  # requests come by another way: nobody knows what is under way
                known.strange.clear()
            if not (known.waiting or known.leases or known.strange):
                del self._apps[name]
        if any(known.waiting for known in self._apps.values()):
            return TICK_SECONDS
        return IDLE_SECONDS if self._apps else NOBODY_SECONDS

    def _serve(self, name: Name, known: _App, now: float) -> None:
        """Give those that wait what room there is, the first first."""
        targets = self._targets()
        target = targets.get(name)
        if target is None and not targets:  # a server that has only begun has not looked yet
            return
        if target is None or target.app.stopped:
            for claim in list(known.waiting.values()):
                self._answer(known, claim, None)
            return
        pointed = self._router.pointed(*name)
        limit = target.app.scale.concurrency
        shares = {address: share for address, share in pointed.items() if known.lost.get(address, 0.0) <= now}
        if not shares:
            self._wake(name, known, now)
            return
        unknown = [address for address in shares if address not in known.strange]
        if limit and (unknown or any(known.strange.get(address) for address in shares)):
            self._read()
        usable = {address: share for address, share in shares.items() if not limit or address in known.strange}
        for claim in list(known.waiting.values()):
            busy = {one: len(known.leases.get(one, ())) + known.strange.get(one, 0) for one in usable} if limit else {}
            address = choose(usable, busy, limit or 1, self._pick())
            if address is None:
                return
            self._answer(known, claim, address)

    def _answer(self, known: _App, claim: Claim, address: str | None) -> None:
        self._forget(known, claim)
        claim.address, claim.since = address, self._clock()
        if address is not None:
            known.leases.setdefault(address, {})[id(claim)] = claim
        claim.answer(address)

    def _over(self, claim: Claim) -> None:
        known = self._apps.get(claim.name)
        if known is None:
            return
        if id(claim) in known.waiting:
            self._forget(known, claim, gone=True)
        elif claim.address is not None and claim.address in known.leases:
            known.leases[claim.address].pop(id(claim), None)
            if not known.leases[claim.address]:
                del known.leases[claim.address]
        if known.waiting:
            self._serve(claim.name, known, self._clock())

    def _forget(self, known: _App, claim: Claim, *, gone: bool = False) -> None:
        del known.waiting[id(claim)]
        if claim.counted:
            self._waker.let_go(claim.name, gone=gone)
        if known.waking and not known.waiting:
            known.waking()
            known.waking = None

    # What takes long, and what came of it

    def _wake(self, name: Name, known: _App, now: float) -> None:
        if known.waking is None and now - known.woken >= LOOK_SECONDS:
            told = lambda found: self._results.append(lambda: self._woken(name, found))  # noqa: E731
            known.waking = self._waker.ask(*name, "", told)

    def _woken(self, name: Name, found: str | None) -> None:
        if (known := self._apps.get(name)) is None:
            return
        known.waking, known.woken = None, self._clock()
        if found is None:
            for claim in list(known.waiting.values()):
                self._answer(known, claim, None)

    def _read(self) -> None:
        """Have the proxy asked what is under way."""
        if self._reading:
            return
        self._reading, asked = True, self._clock()

        def read() -> None:
            counts: Mapping[str, int] | None = None
            try:
                counts = self._router.in_flight()
            finally:
                self._results.append(lambda: self._have_read(counts, asked))

        self._spawn(read)

    def _have_read(self, counts: Mapping[str, int] | None, asked: float) -> None:
        self._reading = False
        for name, known in self._apps.items() if counts is not None else ():
            self._count(name, known, counts or {}, asked)

    def _count(self, name: Name, known: _App, counts: Mapping[str, int], asked: float) -> None:
        pointed = self._router.pointed(*name)
        known.strange = {one: count for one, count in known.strange.items() if one in pointed or one in known.leases}
        for address in pointed:
            counted, leases = counts.get(address, 0), known.leases.get(address, {})
            settled = sum(1 for claim in leases.values() if claim.since < asked - SETTLED_SECONDS)
            before = known.strange.get(address, counted)
            known.strange[address] = still_strange(before, counted, settled)


def _instances(target: Target | None) -> int:
    return max(sum(len(fleet.places) for fleet in target.fleets.values()), 1) if target else 1
