"""The part of BuildKit's cache that builds of ours left. Pure: records in, the ids of ours out.

An engine has one cache for everybody, and no record says whose it is. What can be told: the text of a RUN is in its
record, and the texts that s2i writes are in the Dockerfiles that it keeps beside its images. From there the copies
above and below follow. A record of somebody else's that hangs on one of ours, or one that ours hang on, is left alone
unless all that stands on it is ours. Copies of sources that were sent ("local source for context") name nobody.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from s2i.planning.dockerfile import instructions

_EXEC = re.compile(r"(?:mount / from|cached mount \S+ from) exec /bin/sh -c (?P<text>.*)", re.DOTALL)
_COPY = "fileop target"
_MOUNT = re.compile(r"(?:--[a-z]+=\S+\s+)*")
_ID = re.compile(r' with id "[^"]*"')


class Cached(msgspec.Struct, frozen=True):
    """One record of the cache. ``size`` in bytes; ``shared``: an image holds the same bytes, so they stay."""

    id: str
    parents: tuple[str, ...]
    text: str
    size: int
    used: bool = False
    shared: bool = False


def records(found: Mapping[str, Any]) -> tuple[Cached, ...]:
    """Return the records in the engine's ``GET /system/df``."""
    rows = found.get("BuildCache") or ()
    return tuple(
        Cached(
            id=row["ID"],
            parents=tuple(row.get("Parents") or filter(None, (row.get("Parent"),))),
            text=str(row.get("Description") or ""),
            size=int(row.get("Size") or 0),
            used=bool(row.get("InUse")),
            shared=bool(row.get("Shared")),
        )
        for row in rows
    )


def texts(dockerfiles: Iterable[str]) -> frozenset[str]:
    """Return the commands of the RUN instructions of ``dockerfiles``, as BuildKit's records have them."""
    found = set()
    for dockerfile in dockerfiles:
        for step in instructions(dockerfile):
            if step.word == "RUN":
                mounts = _MOUNT.match(step.rest)
                found.add(_plain(step.rest[mounts.end() if mounts else 0 :]))
    return frozenset(found)


def ours(every: Collection[Cached], commands: Collection[str]) -> tuple[Cached, ...]:
    """Return the records that come from steps whose command is among ``commands`` and that nothing uses now."""
    known = {one.id: one for one in every}
    children: dict[str, list[Cached]] = {}
    for one in every:
        for parent in one.parents:
            children.setdefault(parent, []).append(one)
    mine = {one.id for one in every if _command(one) in commands}
    # A copy is ours when all that stands on it is; when nothing does, when what it stands on is.
    grown = True
    while grown:
        more = {
            one.id
            for one in every
            if one.id not in mine and one.text == _COPY and _belongs(one, children.get(one.id, []), mine)
        }
        grown = bool(more)
        mine |= more
    return tuple(known[ident] for ident in sorted(mine) if not known[ident].used)


def _belongs(one: Cached, children: Collection[Cached], mine: Collection[str]) -> bool:
    if children:
        return all(child.id in mine for child in children)
    return bool(one.parents) and all(parent in mine for parent in one.parents)


def _command(one: Cached) -> str:
    found = _EXEC.fullmatch(one.text)
    return _plain(_ID.sub("", found["text"])) if found else ""


def _plain(text: str) -> str:
    return " ".join(text.split())
