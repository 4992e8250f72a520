"""How runs of a job go, checked once; and what somebody asks to be otherwise. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from s2i.errors import E_LIMIT, E_REQUEST, S2IError
from s2i.resources import cron, indices
from s2i.resources.job import Execution, Keep, Schedule

T = TypeVar("T", Execution, Keep)

RETRIES_MOST = 100
SECONDS_MOST = 7 * 86400.0
PARALLEL_MOST = 1000
DATA_LIMIT = 64 << 10  # bytes: it becomes a variable
RUNS_MOST = 10_000


def checked_execution(one: Execution) -> Execution:
    """Return ``one`` with its array in order, when a run can go so. Raises E_VALUE, E_LIMIT."""
    named = indices.parse(one.array)
    if one.size and one.size < len(named):
        raise _limit("array-size", one.size, f"fewer than the {len(named)} indices that run", "name as many at least")
    if one.size > indices.MOST:
        raise _limit("array-size", one.size, f"more than {indices.MOST}", f"make it {indices.MOST} at most")
    for what, value, most in (
        ("retrylimit", one.retry_limit, RETRIES_MOST),
        ("maxexecutiontime", one.max_seconds, SECONDS_MOST),
        ("parallelism", one.parallelism, PARALLEL_MOST),
    ):
        if not 0 <= value <= most:
            raise _limit(what, value, f"not between 0 and {most:g}", f"a number from 0 to {most:g}")
    return msgspec.structs.replace(one, array=indices.written(named))


def checked_keep(one: Keep) -> Keep:
    """Return ``one`` when runs can be kept so. Raises E_LIMIT."""
    if not 1 <= one.runs <= RUNS_MOST:
        raise _limit("keep-runs", one.runs, f"not between 1 and {RUNS_MOST}", f"a number from 1 to {RUNS_MOST}")
    if not 0 <= one.days <= 36500:
        raise _limit("keep-days", one.days, "not between 0 and 36500", "a number of days; 0: however old")
    return one


def checked_schedule(one: Schedule) -> Schedule:
    """Return ``one`` with its cron in order. Raises E_SCHEDULE, E_LIMIT."""
    if not 0 <= one.window <= SECONDS_MOST:
        raise _limit("window", one.window, f"not between 0 and {SECONDS_MOST:g}", "a number of seconds")
    return msgspec.structs.replace(one, cron=cron.checked(one.cron, one.timezone), data=checked_data(one.data))


def checked_data(data: str) -> str:
    """Return ``data`` when it can be given to a run. Raises E_LIMIT."""
    if len(data.encode()) > DATA_LIMIT:
        raise _limit("data", f"{len(data.encode())} bytes", f"more than {DATA_LIMIT}", "give a place where it is found")
    if "\0" in data:
        raise _limit("data", "text", "not free of null bytes", "encode it, as base64")
    return data


def merged(before: T, fields: Mapping[str, Any]) -> T:
    """Return ``before`` with ``fields`` in place of its own. Raises E_REQUEST for one that it has not."""
    try:
        return msgspec.convert({**msgspec.structs.asdict(before), **fields}, type(before))
    except msgspec.ValidationError as error:
        raise E_REQUEST(why=error) from None


def _limit(what: str, value: object, why: str, advice: str) -> S2IError:
    return E_LIMIT(what=what, value=value, why=f"it is {why}", advice=advice)
