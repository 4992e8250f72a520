"""The autoscaler at work: read what is under way, decide, and remember the arithmetic."""

from __future__ import annotations

import collections
import logging
import time
from collections.abc import Callable, Mapping

import msgspec

from s2i.control.autoscale import Decision, Scaler, decide, read, slept
from s2i.control.beat import Beat
from s2i.control.fleet import Fleet, Key, Name
from s2i.control.happenings import scaled, tell
from s2i.control.waker import Target, Waker
from s2i.control.world import World
from s2i.errors import S2IError

BUSY_SECONDS = 0.1  # between two readings while requests are under way
IDLE_SECONDS = 0.5
FAULT_SECONDS = 2.0
SLOW_SECONDS = 1.0  # at most, where a reading takes long
READING_SHARE = 0.1  # of a core, that far: with a thousand apps a reading takes the proxy and us 20 ms
TRICKLE = 0.001  # what a connection counts that came between two readings: it keeps an app from sleeping, no more
KEEP = 200  # decisions of one app

log = logging.getLogger("s2i")


class Logged(msgspec.Struct, frozen=True):
    """One decision that changed something, of one revision; ``at`` in epoch seconds."""

    at: float
    revision: int
    decision: Decision


class Autoscaler:
    """Decides how many instances each revision should have. One thread; ``clock`` is monotonic.

    ``targets``: the apps as the loop last saw them; ``waker`` knows the requests that wait; ``changed`` is called when
    the number of instances that are wanted has changed.
    """

    def __init__(
        self,
        world: World,
        targets: Callable[[], Mapping[Name, Target]],
        waker: Waker,
        changed: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._world, self._targets, self._waker, self._changed, self._clock = world, targets, waker, changed, clock
        self._scalers: dict[Key, Scaler] = {}
        self._accepted: dict[Key, int] = {}
        self._counts: dict[Key, int] = {}
        self._log: dict[Name, collections.deque[Logged]] = {}
        self._last: dict[Key, tuple[int, str]] = {}
        self._resting: set[Key] = set()  # nothing runs, nobody waits: not read until that changes
        self._beat = Beat("autoscaler", self._tried, FAULT_SECONDS)

    def start(self) -> None:
        """Begin."""
        self._beat.start()

    def stop(self) -> None:
        """End; what is wanted stays as it is."""
        self._beat.stop()

    def counts(self) -> dict[Key, int]:
        """Return how many instances of each revision are wanted, as far as that was decided."""
        return dict(self._counts)

    def log(self, project: str, app: str) -> tuple[Logged, ...]:
        """Return the last decisions that changed something, the oldest first."""
        return tuple(self._log.get((project, app), ()))

    def step(self) -> float:
        """Read and decide once; return the seconds until the next reading is due."""
        targets, held, now = self._targets(), self._waker.take(), self._clock()
        followed = dict(_followed(targets))
        for key in self._scalers.keys() - followed.keys():
            for of_key in (self._scalers, self._accepted, self._counts, self._last):
                of_key.pop(key, None)
            self._resting.discard(key)
        for name in self._log.keys() - targets.keys():
            self._log.pop(name, None)
        runs = any(place.alive for fleet in followed.values() for place in fleet.places)
        in_flight, took = self._under_way() if runs else ({}, 0.0)
        before = dict(self._counts)
        for key, fleet in followed.items():
            if key in self._resting and not fleet.places and key[:2] not in held:
                continue
            target = targets[key[:2]]
            waiting = held.get(key[:2], 0) * target.app.percents[key[2]] / 100
            self._one(key, target, fleet, waiting + sum(in_flight.get(one, 0) for one in _addresses(fleet)), now)
        self._waker.counted()  # not before: until then they keep what they have woken
        if self._counts != before:
            self._changed()
        return max(BUSY_SECONDS if held or in_flight else IDLE_SECONDS, min(took / READING_SHARE, SLOW_SECONDS))

    def _under_way(self) -> tuple[Mapping[str, int], float]:
        """Return the requests under way by address, and the seconds that it took to read them."""
        began = self._clock()
        found = self._world.router.in_flight()
        return found, self._clock() - began

    def _one(self, key: Key, target: Target, fleet: Fleet, under_way: float, now: float) -> None:
        scale = target.app.scale
        ready = len(fleet.addresses)
        scaler = self._scalers.get(key)
        if scaler is None:
            scaler = Scaler(now)
            self._note_accepted(key, fleet)
        if key in self._resting:
            scaler = slept(scaler, scale, IDLE_SECONDS, now)
        scaler = read(scaler, scale, under_way, now)
        known, decision = decide(scaler, scale, ready, now)
        if decision.wanted == 0 and ready and self._note_accepted(key, fleet):
            # Requests came that were over before anybody looked.
            scaler = read(scaler, scale, TRICKLE, now)
            known, decision = decide(scaler, scale, ready, now)
        self._scalers[key], self._counts[key] = known, decision.wanted
        said = (decision.wanted, decision.limit)
        if (was := self._last.get(key, (ready, ""))[0]) != decision.wanted:
            tell(self._world.store, scaled(key, was, decision, self._world.now()))
        if self._last.get(key) != said and (key in self._last or decision.wanted != ready):
            log.info("scale %s r%d: %d", "/".join(key[:2]), key[2], decision.wanted)
            kept = self._log.setdefault(key[:2], collections.deque(maxlen=KEEP))
            kept.append(Logged(self._world.now(), key[2], decision))
        self._last[key] = said
        self._resting.discard(key)
        if not fleet.places and decision.wanted == decision.stable == decision.panic == 0:
            self._resting.add(key)

    def _note_accepted(self, key: Key, fleet: Fleet) -> bool:
        """Say whether connections were accepted since this was asked last."""
        counts = [self._world.engine.accepted(place.work.owner) for place in fleet.places]
        now = sum(filter(None, counts))
        before, self._accepted[key] = self._accepted.get(key, now), now
        return now > before

    def _tried(self) -> float:
        try:
            return self.step()
        except S2IError:
            self._changed()  # the loop sees to the router
            raise


def _followed(targets: Mapping[Name, Target]) -> list[tuple[Key, Fleet]]:
    """Return the fleets that get requests."""
    return [
        ((*name, number), target.fleets[number])
        for name, target in targets.items()
        if not target.app.stopped
        for number in target.app.percents
        if number in target.fleets
    ]


def _addresses(fleet: Fleet) -> list[str]:
    return [place.address for place in fleet.places if place.address]
