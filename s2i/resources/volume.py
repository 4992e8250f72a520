"""Volumes: folders of a project that outlive the containers that write to them, and where a container has one. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import msgspec

from s2i.errors import E_MOUNT
from s2i.resources.mounts import Mount, is_in, why_not
from s2i.resources.names import NAME

ADVICE = "write DIR=NAME, as /data=uploads: a folder of the container's own, and a volume that `s2i volume list` shows"


class Volume(msgspec.Struct, frozen=True):
    """A volume, by name. ``deleting``: what is in it is being removed, and nothing new may mount it."""

    project: str
    name: str
    created: float = 0.0
    deleting: bool = False


class VolumeMount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A volume of the project at ``directory`` in the container. There is no way to name a place of the machine."""

    name: str
    directory: str


def parse(text: str) -> VolumeMount:
    """Parse DIR=NAME. Raises E_MOUNT."""
    directory, equals, name = text.rpartition("=")
    if not equals:
        raise E_MOUNT(kind="volume", value=text, why="it is not DIR=NAME", advice=ADVICE)
    return checked(VolumeMount(name, directory), text)


def checked(one: VolumeMount, text: str = "") -> VolumeMount:
    """Return ``one`` when it can be. Raises E_MOUNT."""
    why = why_not(one.directory) if NAME.fullmatch(one.name) else f'there can be no volume "{one.name}"'
    if why:
        raise E_MOUNT(kind="volume", value=text or written(one), why=why, advice=ADVICE)
    return one


def checked_all(every: Iterable[VolumeMount], files: Iterable[Mount] = ()) -> tuple[VolumeMount, ...]:
    """Return mounts when one container can have all of them beside those of ``files``. Raises E_MOUNT."""
    found = tuple(map(checked, every))
    for one, other in itertools.permutations(found, 2):
        if is_in(other.directory, one.directory):
            raise _taken(other, one.directory)
    for one, file in itertools.product(found, files):
        if is_in(one.directory, file.directory) or is_in(file.directory, one.directory):
            raise _taken(one, file.directory)
    return found


def written(one: VolumeMount) -> str:
    """Return a mount as a person writes it."""
    return f"{one.directory}={one.name}"


def _taken(one: VolumeMount, directory: str) -> Exception:
    return E_MOUNT(kind="volume", value=written(one), why=f"{directory} is another's already")
