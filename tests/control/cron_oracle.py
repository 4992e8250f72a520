"""What Debian's cron does, minute by minute, as its manual says and its main loop goes: an oracle, slow and plain.

It knows nothing of s2i, and has another way: it never computes a next time, it only looks at the clock on the wall.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterable

FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
GAP = 180  # minutes; a clock that jumps further than this was set by somebody, and not by a law


class Line:
    """One line of a crontab."""

    def __init__(self, cron: str) -> None:
        words = cron.split()
        self.minutes, self.hours, self.days, self.months, week = (
            _values(word, *ends) for word, ends in zip(words, FIELDS, strict=True)
        )
        self.week = {day % 7 for day in week}
        self.both = words[2].startswith("*") or words[4].startswith("*")
        self.wild = words[0].startswith("*") or words[1].startswith("*")

    def is_on(self, day: datetime.date) -> bool:
        """Say whether it runs on a day at all."""
        month, week = day.day in self.days, day.isoweekday() % 7 in self.week
        return day.month in self.months and ((month and week) if self.both else (month or week))


def runs(crons: Iterable[str], timezone: str, begin: int, end: int) -> dict[str, list[int]]:
    """Return when each line runs (epoch seconds) from ``begin`` to before ``end``, both whole minutes."""
    lines = {cron: Line(cron) for cron in crons}
    by_minute: dict[int, list[tuple[str, Line]]] = {
        minute: [(cron, line) for cron, line in lines.items() if minute in line.minutes] for minute in range(60)
    }
    found: dict[str, list[int]] = {cron: [] for cron in lines}
    zone = zoneinfo.ZoneInfo(timezone)
    days: dict[int, set[str]] = {}

    def run(wall: int, at: int, *, wild: bool, fixed: bool) -> None:
        for cron, line in by_minute[wall % 60]:
            if wall // 60 % 24 not in line.hours or not (wild if line.wild else fixed):
                continue
            day = wall // 1440
            if day not in days:
                date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
                days[day] = {each for each, other in lines.items() if other.is_on(date)}
            if cron in days[day] and at not in found[cron][-1:]:
                found[cron].append(at)

    virtual = (begin + _offset(zone, begin)) // 60 - 1
    for at in range(begin, end, 60):
        if at % 900 == 0 or at == begin:  # clocks are changed at quarters of an hour
            offset = _offset(zone, at)
        wall = (at + offset) // 60
        ahead = wall - virtual
        if ahead == 1:
            virtual = wall
            run(wall, at, wild=True, fixed=True)
        elif 1 < ahead <= GAP:
            run(wall, at, wild=True, fixed=False)
            while virtual < wall:
                virtual += 1
                run(virtual, at, wild=False, fixed=True)
        elif ahead <= 0:
            run(wall, at, wild=True, fixed=False)
        else:
            raise AssertionError("no clock is changed by so much")
    return found


def _offset(zone: zoneinfo.ZoneInfo, at: int) -> int:
    offset = datetime.datetime.fromtimestamp(at, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def _values(word: str, first: int, last: int) -> set[int]:
    found: set[int] = set()
    for part in word.split(","):
        body, _, step = part.partition("/")
        low, _, high = (f"{first}-{last}" if body == "*" else body).partition("-")
        found |= set(range(int(low), int(high or (last if step else low)) + 1, int(step or 1)))
    return found
