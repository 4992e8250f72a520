"""Which base images there are to plan with.

``offered`` reads a small file and looks at what this machine could make, so that `s2i plan` needs no engine;
``refresh`` asks the engine and writes the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from s2i import dirs
from s2i.images.bases import machine, table
from s2i.images.bases.machine import Machine
from s2i.planning.plan import Base

if TYPE_CHECKING:
    from s2i.wire import Wire


class Known(msgspec.Struct, frozen=True):
    """What the engine had when it was last asked. ``registry``: whether one answered (None: nobody tried)."""

    bases: tuple[Base, ...] = ()
    registry: bool | None = None


def offered() -> tuple[Base, ...]:
    """Return the bases to plan with, oldest Python first, one a Python. Reads a few files, asks nobody."""
    return offer(recall(), machine.look())


def refresh(engine: Wire | None = None, registry: bool | None = None) -> tuple[Base, ...]:
    """Ask the engine which base images it has, remember it, and return what is offered now.

    ``registry``: what a fresh try of the registry said (None: nobody tried, the last answer holds).
    Raises E_DOCKER.
    """
    from s2i.engines.docker import connection

    known = Known(present(engine or connection.wire()), recall().registry if registry is None else registry)
    dirs.write(dirs.make_private(dirs.cache()) / "bases.json", msgspec.json.encode(known))
    return offer(known, machine.look())


def present(engine: Wire) -> tuple[Base, ...]:
    """Return the bases that the engine has."""
    return _present(_names(engine))


def official() -> tuple[Base, ...]:
    """Return the bases that anybody can pull, for every processor, oldest Python first."""
    return tuple(table.official(row, "pull") for row in table.rows())


def recall() -> Known:
    """Return what was last remembered; nothing when the file is absent or damaged."""
    try:
        return msgspec.json.decode((dirs.cache() / "bases.json").read_bytes(), type=Known)
    except (OSError, msgspec.DecodeError):
        return Known()


def offer(known: Known, here: Machine) -> tuple[Base, ...]:
    """Return what is offered: what the engine has, what a registry has, what ``here`` can make; one a Python."""
    have = {base.python: base for base in known.bases}
    # Before anybody tried a registry it counts as there, unless the bases made here show that it was not.
    registry = known.registry or (known.registry is None and not have)
    found = []
    for row in table.rows():
        if row.python in have:
            found.append(have[row.python])
        elif registry:
            found.append(table.official(row, "pull"))
        elif way := machine.way(row.python, here):
            found.append(table.local(row.python, way.interpreter, "make"))
    return tuple(found)


def _present(made: Mapping[str, str]) -> tuple[Base, ...]:
    """Return the bases whose two images are there. ``made``: the recipe of each image, "" of those of others."""
    found = []
    for row in table.rows():
        local, official = table.local(row.python), table.official(row)
        recipe = made.get(local.runtime, "")
        if recipe in table.INTERPRETERS and made.get(local.build) == recipe:
            found.append(table.local(row.python, table.INTERPRETERS[recipe]))
        elif official.runtime in made:
            found.append(official)
    return tuple(found)


def _names(engine: Wire) -> dict[str, str]:
    """Return the names of the engine's base images, and the recipe by which s2i made each ("" for those of others)."""
    names = {}
    # Of an engine with hundreds of images the whole list takes longer than a plan.
    filters = msgspec.json.encode({"reference": [_pattern(name) for row in table.rows() for name in _called(row)]})
    for image in engine.get("/images/json", {"filters": filters.decode()}):
        labels = image.get("Labels") or {}
        for name in image.get("RepoTags") or ():
            # An image that is built on a base inherits its labels.
            names[name] = labels.get(table.RECIPE_LABEL, "") if name.startswith("s2i.local/") else ""
    return names


def _called(row: table.Row) -> tuple[str, str, str]:
    local = table.local(row.python)
    return local.runtime, local.build, table.official(row).runtime


def _pattern(name: str) -> str:
    """Return what matches ``name`` alone, as Go's path.Match reads it: a mirror is called what its owner likes."""
    return re.sub(r"[*?\[\\]", r"\\\g<0>", name)
