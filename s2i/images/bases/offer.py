"""Which base images there are to plan with.

``offered`` reads a small file, so that `s2i plan` needs no engine; ``refresh`` asks the engine and writes it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from s2i import dirs
from s2i.images.bases import table
from s2i.planning.plan import Base

if TYPE_CHECKING:
    import docker


class Known(msgspec.Struct, frozen=True):
    """What the engine had when it was last asked. ``registry``: whether one answered (None: nobody tried)."""

    bases: tuple[Base, ...] = ()
    registry: bool | None = None


def offered() -> tuple[Base, ...]:
    """Return the bases to plan with, oldest Python first, one a Python. Reads one file, asks nobody."""
    return _offer(recall())


def refresh(client: docker.DockerClient | None = None, registry: bool | None = None) -> tuple[Base, ...]:
    """Ask the engine which base images it has, remember it, and return what is offered now.

    ``registry``: what a fresh try of the registry said (None: nobody tried, the last answer holds).
    Raises E_DOCKER.
    """
    from s2i.engines.docker import connection

    names = _names(client or connection.client())
    known = Known(_present(names), recall().registry if registry is None else registry)
    folder = dirs.make_private(dirs.cache())
    draft = folder / f"bases.json.{os.getpid()}"
    draft.write_bytes(msgspec.json.encode(known))
    draft.replace(folder / "bases.json")
    return _offer(known)


def recall() -> Known:
    """Return what was last remembered; nothing when the file is absent or damaged."""
    try:
        return msgspec.json.decode((dirs.cache() / "bases.json").read_bytes(), type=Known)
    except (OSError, msgspec.DecodeError):
        return Known()


def _offer(known: Known) -> tuple[Base, ...]:
    have = {base.python: base for base in known.bases}
    # Before anybody tried a registry it counts as there, unless the bases made here show that it was not.
    if known.registry or (known.registry is None and not have):
        return tuple(have.get(row.python) or table.official(row) for row in table.rows())
    return known.bases


def _present(names: frozenset[str]) -> tuple[Base, ...]:
    found = []
    for row in table.rows():
        for base in (table.local(row.python), table.official(row)):
            if {base.build, base.runtime} <= names:
                found.append(base)
                break
    return tuple(found)


def _names(client: docker.DockerClient) -> frozenset[str]:
    """Return the names of the images of the engine; of those that s2i made only what this recipe made."""
    names = set()
    for image in client.api.images():
        labels = image.get("Labels") or {}
        for name in image.get("RepoTags") or ():
            if not name.startswith("s2i.local/") or labels.get(table.RECIPE_LABEL) == table.RECIPE:
                names.add(name)
    return frozenset(names)
