"""Projects: what each may have, what its apps and runs come to, and whether that fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from s2i.errors import E_LIMIT
from s2i.resources.app import App, Config, Revision
from s2i.resources.change import merged

DEFAULT = "default"  # the project that is always there
CPU_MOST, BYTES_MOST, COUNT_MOST = 9999.0, 1 << 50, 1_000_000
KEPT_SECONDS = 7 * 86400.0  # a deleted project can be restored
GIB, MIB = 1 << 30, 1 << 20


Egress = Literal["all", "none"]


class Amounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a project has, or may have at most; as a limit 0 is none.

    ``cpu`` in cores and ``memory`` in bytes, of the containers of apps and tasks together, as their own limits say;
    ``instances``: how many these are. ``runs``: job runs that have not ended. ``builds`` of sources that are under way
    at once. ``images``: the bytes on disk of what was built, the base images not counted.
    """

    cpu: float = 0.0
    memory: int = 0
    instances: int = 0
    apps: int = 0
    jobs: int = 0
    runs: int = 0
    builds: int = 0
    images: int = 0
    volumes: int = 0


class Project(msgspec.Struct, frozen=True):
    """A project that somebody made, or that came to be by its first use (``created`` 0.0, epoch seconds).

    ``deleted``: since when it is hidden, and can be restored (0.0: it is not). ``egress`` "none": its containers reach
    each other and the router's open ports, and nothing beyond.
    """

    name: str
    limits: Amounts = Amounts()
    created: float = 0.0
    deleted: float = 0.0
    egress: Egress = "all"

    @property
    def ends(self) -> float:
        """When a deleted one can be restored no more, in epoch seconds."""
        return self.deleted + KEPT_SECONDS


class Room(msgspec.Struct, frozen=True):
    """What limits the tasks of a project: its limits, and what of these belongs to its apps."""

    limits: Amounts
    apps: Amounts = Amounts()


NOTHING = Amounts()
FIELDS: tuple[str, ...] = Amounts.__struct_fields__
BYTES = ("memory", "images")


def total(every: Iterable[Amounts]) -> Amounts:
    """Return the sum. Cores are counted by thousandths: a tenth ten times is one core."""
    found: dict[str, Any] = dict.fromkeys(FIELDS, 0)
    for one in every:
        for field in FIELDS:
            found[field] += getattr(one, field)
    return Amounts(**{**found, "cpu": round(float(found["cpu"]), 3)})


def containers(config: Config, number: int) -> Amounts:
    """Return what ``number`` containers of one config have."""
    return Amounts(round(config.cpu * number, 3), config.memory * number, number)


def of_app(app: App, revisions: Iterable[Revision]) -> Amounts:
    """Return what an app may come to: each revision that gets requests, also by a tag, at max-scale.

    Of a revision that is to take over and the one that it takes over from, whichever has more: that both run for a
    moment is not counted.
    """
    if app.deleting:
        return NOTHING
    every = {one.number: one for one in revisions}
    tagged = set(dict(app.tags).values())
    coming = every.get(app.target) if app.target != app.serving else None
    if coming and coming.tag:
        tagged.add(coming.number)
    asked = {number for number, percent in app.percents.items() if percent} | tagged
    takes_over = coming is not None and not (app.traffic or coming.quiet)
    ways = [asked, {app.target, *tagged}] if takes_over else [asked]
    sums = [total(containers(every[one].config, app.scale.max) for one in way if one in every) for way in ways]
    return Amounts(**{field: max(getattr(one, field) for one in sums) for field in FIELDS} | {"apps": 1})


def exceeded(limits: Amounts, wanted: Amounts, before: Amounts = NOTHING) -> str:
    """Return the first field in which ``wanted`` is more than its limit, and more than ``before``; "" for none.

    What had too much already, since a limit was lowered, may become less.
    """
    for field in FIELDS:
        limit, value = getattr(limits, field), getattr(wanted, field)
        if limit and value > max(limit, getattr(before, field)):
            return field
    return ""


def checked_limits(before: Amounts, fields: Mapping[str, Any]) -> Amounts:
    """Return ``before`` with ``fields`` in place of its own. Raises E_REQUEST, E_LIMIT."""
    made = merged(before, fields)
    for field in FIELDS:
        value, most = getattr(made, field), CPU_MOST if field == "cpu" else BYTES_MOST if field in BYTES else COUNT_MOST
        if not 0 <= value <= most:
            advice = f"a number from 0 (no limit) to {most:g}"
            raise E_LIMIT(what=f"limit-{field}", value=value, why="it is out of range", advice=advice)
    return made


def shown(field: str, value: float) -> str:
    """Return an amount for people: "4 CPUs", "1536M of memory", "1 app"."""
    if field in BYTES:
        return f"{written(field, value)} of {field}"
    thing = {"cpu": "CPU", "runs": "open job run"}.get(field, field.removesuffix("s"))
    return f"{value:g} {thing}" if value == 1 else f"{value:g} {thing}s"


def written(field: str, value: float) -> str:
    """Return an amount as an option takes it: "0.5", "1536M"; what is not known is negative: "?"."""
    if value < 0:
        return "?"
    if field not in BYTES:
        return f"{value:g}"
    size = int(value)
    if size >= MIB and field == "images":
        size = -(-size // MIB) * MIB  # nobody counts the bytes of a disk
    return f"{size // GIB}G" if not size % GIB else f"{size // MIB}M" if not size % MIB else f"{size}"
