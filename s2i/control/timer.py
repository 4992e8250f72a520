"""Run jobs by their schedules: one thread, which sleeps until the next tick."""

from __future__ import annotations

import datetime
import logging
from collections import Counter
from collections.abc import Callable

from s2i.control import attempts, quota, runs
from s2i.control.beat import Beat
from s2i.control.schedule import AHEAD_MOST, Due, due, next_tick
from s2i.control.store.jobs import run_of
from s2i.control.world import World
from s2i.errors import S2IError
from s2i.resources.job import Job, JobRun, Schedule

SLEEP_MOST = 20.0  # s; a clock that is set is noticed by then
SLEEP_LEAST = 0.01
FAULT_SECONDS = 2.0

log = logging.getLogger("s2i")

Name = tuple[str, str]  # project, job


class Timer:
    """The schedules of one server at work. ``changed`` is called when there are runs to begin."""

    def __init__(self, world: World, changed: Callable[[], None]) -> None:
        self._world, self._changed = world, changed
        self._next: dict[Name, tuple[Schedule, float | None]] = {}  # computed once for each tick
        self._beat = Beat("timer", self.step, FAULT_SECONDS)

    def start(self) -> None:
        """Begin."""
        self._beat.start()

    def stop(self) -> None:
        """End; what is due is dealt with by the next server."""
        self._beat.stop()

    def kick(self) -> None:
        """Look again now: a schedule has changed."""
        self._beat.kick()

    def step(self) -> float:
        """Deal with what is due; return the seconds until something is again."""
        now = self._world.now()
        jobs = [job for job in self._world.store.jobs() if job.schedule]
        self._next = {name: known for name, known in self._next.items() if name in {_name(job) for job in jobs}}
        ready = [job for job in jobs if (at := self._at(job)) is not None and (at <= now or _is_ahead(job, now))]
        if ready:
            self._tick(ready, now)
        upcoming = [at for _, at in self._next.values() if at is not None]
        return min(max(min(upcoming, default=now + SLEEP_MOST) - now, SLEEP_LEAST), SLEEP_MOST)

    def _at(self, job: Job) -> float | None:
        """Return when something of a job is due next."""
        known = self._next.get(_name(job))
        if known is None or known[0] != job.schedule:
            assert job.schedule is not None
            known = self._next[_name(job)] = (job.schedule, next_tick(job.schedule))
        return known[1]

    def _tick(self, ready: list[Job], now: float) -> None:
        open_runs: dict[Name, list[JobRun]] = {}
        for run in self._world.store.open_runs():
            if run.scheduled:
                open_runs.setdefault((run.project, run.job), []).append(run)
        found = [(job, due(job.schedule, open_runs.get(_name(job), ()), now)) for job in ready if job.schedule]
        for job, one in found:
            for name in one.cancel:
                self._tried(lambda job=job, name=name: attempts.cancel(self._world, job.project, name))  # type: ignore[misc]
        made = self._world.store.accept_ticks(self._allowed(found, now))
        self._changed()
        for job, one in found:
            if one.missed:
                self._world.record(job.project, job.name, "missed", _told(one))
        for run in made:
            self._tried(lambda run=run: runs.forget_old(self._world, run.project, run.job))  # type: ignore[misc]

    def _allowed(self, found: list[tuple[Job, Due]], now: float) -> list[tuple[Job, float, JobRun | None]]:
        """Return the ticks with their runs; one for whose run its project has no room is told as missed."""
        ticks = []
        beside: Counter[str] = Counter()
        for job, one in found:
            run = _run(job, one, now)
            try:
                if run:
                    quota.checked_run(self._world.store, run, beside[job.project])
                    beside[job.project] += 1
            except S2IError as error:
                self._world.record(job.project, job.name, "missed", f"a tick was missed: {error}")
                run = None
            ticks.append((job, one.since, run))
        return ticks

    def _tried(self, work: Callable[[], object]) -> None:
        try:
            work()
        except S2IError as error:  # it has ended, or is gone, meanwhile
            log.info("a schedule goes on: %s", error)


def _run(job: Job, one: Due, now: float) -> JobRun | None:
    if one.run is None or job.schedule is None:
        return None
    return run_of(job, now, job.execution, job.schedule.data, one.run)


def _told(one: Due) -> str:
    first = datetime.datetime.fromtimestamp(one.first).astimezone()
    ticks = "one tick was" if one.missed == 1 else f"{one.missed} ticks were"
    return f"{ticks} missed, from {first:%Y-%m-%d %H:%M} on: {one.why}"


def _is_ahead(job: Job, now: float) -> bool:
    """Say whether the clock was set back so far that the job would wait for hours."""
    return job.schedule is not None and job.schedule.since > now + AHEAD_MOST


def _name(job: Job) -> Name:
    return job.project, job.name
