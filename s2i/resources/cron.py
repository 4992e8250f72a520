"""Five fields of cron, or @daily and its like, in a time zone: checked, and the moments that they name. Pure.

Over a change of the clocks it is as with Debian's cron: a job with a fixed time runs once, right after the gap where
its minute is left out, and at the first of two equal minutes where one comes twice; one whose minute or hour begins
with * goes by the time that passes.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator

from s2i.errors import E_SCHEDULE

NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
LIMIT = 200  # characters


def checked(cron: str, timezone: str) -> str:
    """Return ``cron`` with its spaces in order, when it names a moment in a ``timezone`` that is. Raises E_SCHEDULE."""
    zone_of(timezone)
    text = " ".join(cron.split())
    if len(text) > LIMIT:
        raise E_SCHEDULE(value=f"{text[:40]}...", why=f"it has more than {LIMIT} characters")
    next(ticks(text, timezone, 0.0))
    return text


def ticks(cron: str, timezone: str, after: float) -> Iterator[float]:
    """Yield the moments (epoch seconds) that ``cron`` names, from the first past ``after`` on. Raises E_SCHEDULE."""
    from crondst import CronDst, CronDstError  # most commands need no schedule

    fields = NICKNAMES.get(cron, cron)
    if fields.startswith("@"):
        raise E_SCHEDULE(value=cron, why=f"there is {', '.join(NICKNAMES)}")
    if len(fields.split()) != 5:
        raise E_SCHEDULE(value=cron, why=f"it has {len(fields.split())} fields, not five")
    begin, last = datetime.datetime.fromtimestamp(after, zone_of(timezone)), after
    try:
        if not fields.isascii():
            raise CronDstError("Bad character")
        for moment in CronDst(fields).iter(begin):
            # Two times of a gap come at the same moment after it.
            if (at := moment.timestamp()) > last:
                yield at
                last = at
    except CronDstError as error:
        raise E_SCHEDULE(value=cron, why=_words(str(error))) from None


def _words(said: str) -> str:
    return "no such day ever comes" if "no triggers" in said else said[:1].lower() + said[1:]


def zone_of(timezone: str) -> zoneinfo.ZoneInfo:
    """Return a time zone by its name ("Europe/Berlin"). Raises E_SCHEDULE."""
    try:
        return zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise E_SCHEDULE(value=timezone, why="there is no such time zone") from None
