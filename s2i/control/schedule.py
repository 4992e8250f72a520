"""Which ticks of a schedule are due, and what comes of them. Pure: the clock is the caller's."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from s2i.resources.cron import ticks
from s2i.resources.job import JobRun, Schedule

COUNTED = 1000  # ticks that were missed; more are as many
AHEAD_MOST = 7200.0  # s; a clock that was set back further than this was wrong before, and not now


class Due(msgspec.Struct, frozen=True):
    """What has to be done now: a run of the tick ``run`` (epoch seconds; None: no run), after ``cancel`` has ended.

    ``since``: up to here all is dealt with. ``missed``: ticks that nobody makes good, from ``first`` on; ``why``.
    """

    since: float
    run: float | None = None
    cancel: tuple[str, ...] = ()
    missed: int = 0
    first: float = 0.0
    why: str = ""


def due(schedule: Schedule, open_runs: Sequence[JobRun], now: float) -> Due:
    """Return what the ticks up to ``now`` come to; ``open_runs``: those of earlier ticks that have not ended.

    Of ticks that were slept through the last one is made good when it is no older than the window.
    """
    since = now if schedule.since > now + AHEAD_MOST else schedule.since
    if schedule.paused or since >= now:
        return Due(max(since, now) if schedule.paused else since)
    recent = _upto(schedule, max(since, now - schedule.window), now)
    older = _upto(schedule, since, now - schedule.window, COUNTED) if since < now - schedule.window else []
    every = [*older, *recent]
    if not every:
        return Due(now)
    why = "the server did not run"
    if not recent:
        return Due(now, None, (), len(every), every[0], why)
    missed, first = len(every) - 1, every[0]
    if open_runs and schedule.overlap == "forbid":
        return Due(now, None, (), len(every), first, f"{open_runs[0].name} still runs")
    cancel = tuple(run.name for run in open_runs if not run.cancelled) if schedule.overlap == "replace" else ()
    return Due(now, recent[-1], cancel, missed, first if missed else 0.0, why if missed else "")


def next_tick(schedule: Schedule) -> float | None:
    """Return the next moment at which something is due (epoch seconds), None while it is paused, or for ever."""
    return None if schedule.paused else next(ticks(schedule.cron, schedule.timezone, schedule.since), None)


def _upto(schedule: Schedule, after: float, until: float, most: int | None = None) -> list[float]:
    named = itertools.takewhile(lambda at: at <= until, ticks(schedule.cron, schedule.timezone, after))
    return list(itertools.islice(named, most))
