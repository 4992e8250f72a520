"""What runs, measured: by container as it is now, by app and job as sums of hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

import msgspec

from s2i.control.beat import Beat
from s2i.control.world import World
from s2i.engines.engine import Observed, Owner, Usage
from s2i.resources.usage import Hour, Live

EVERY_SECONDS = 5.0
REST_SECONDS = 2.0  # while nothing runs: who comes is not missed for long
KEEP_SECONDS = 60.0  # between two writes: a server that is killed loses what it measured since
HOUR = 3600.0
DAYS = 35.0


class _Sample(msgspec.Struct, frozen=True):
    """One reading of one container; ``at`` is monotonic."""

    at: float
    usage: Usage


class Meter:
    """Reads what each container uses, every few seconds. ``containers``: those that the loop saw last."""

    def __init__(
        self, world: World, containers: Callable[[], Iterable[Observed]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._world, self._containers, self._clock = world, containers, clock
        self._last: dict[str, _Sample] = {}
        self._live: dict[str, Live] = {}  # by container
        self._sums: dict[tuple[str, str, str], Hour] = {}
        self._written = clock()
        self._beat = Beat("meter", self.step, EVERY_SECONDS)

    def start(self) -> None:
        """Begin."""
        self._beat.start()

    def stop(self) -> None:
        """End, and write down what is measured."""
        if self._beat.stop():
            self._write()

    def live(self) -> tuple[Live, ...]:
        """Return what each container that runs used over the last seconds, as far as two readings of it are known."""
        running = self._running()
        return tuple(
            sorted(
                (one for ident, one in self._live.items() if ident in running),
                key=lambda one: (one.project, one.kind, one.name, one.instance),
            )
        )

    def forget(self, project: str) -> None:
        """Drop what is measured of a project, and not written down yet."""
        self._sums = {key: hour for key, hour in self._sums.items() if key[0] != project}

    def step(self) -> float:
        """Read once; return the seconds until the next reading is due."""
        running = self._running()
        now = self._clock()
        found = self._world.engine.usage(tuple(running)) if running else {}
        self._live = dict(self._measured(running, found, now))
        self._last = {ident: _Sample(now, usage) for ident, usage in found.items()}
        if now - self._written >= KEEP_SECONDS:
            self._write()
        return EVERY_SECONDS if running else REST_SECONDS

    def _running(self) -> dict[str, Owner]:
        return {one.id: one.owner for one in self._containers() if one.role != "sandbox" and one.state == "running"}

    def _measured(
        self, running: Mapping[str, Owner], found: Mapping[str, Usage], now: float
    ) -> Iterable[tuple[str, Live]]:
        for ident, usage in found.items():
            owner, before = running[ident], self._last.get(ident)
            # What a container used before anybody looked is its own, too; over which time, nobody knows.
            seconds = now - before.at if before else 0.0
            cpu = usage.cpu - (before.usage.cpu if before else 0.0)
            received = usage.received - (before.usage.received if before else 0)
            sent = usage.sent - (before.usage.sent if before else 0)
            self._add(owner, max(cpu, 0.0), usage.memory * seconds, max(received, 0), max(sent, 0))
            if seconds:
                yield (
                    ident,
                    Live(
                        owner.project,
                        owner.kind,
                        owner.run or owner.name,
                        owner.instance,
                        round(max(cpu, 0.0) / seconds * 100, 2),
                        usage.memory,
                        round(max(received, 0) / seconds),
                        round(max(sent, 0) / seconds),
                    ),
                )

    def _add(self, owner: Owner, cpu: float, memory: float, received: int, sent: int) -> None:
        key = (owner.project, owner.kind, owner.name)
        hour = self._world.now() // HOUR * HOUR
        known = self._sums.get(key)
        if known is not None and known.hour != hour:
            self._write()
            known = None
        old = known or Hour(*key, hour)
        self._sums[key] = msgspec.structs.replace(
            old,
            cpu=old.cpu + cpu,
            memory=old.memory + memory,
            received=old.received + received,
            sent=old.sent + sent,
        )

    def _write(self) -> None:
        self._written = self._clock()
        sums, self._sums = self._sums, {}
        if sums:
            self._world.store.add_hours(tuple(sums.values()), self._world.now() - DAYS * 24 * HOUR)
