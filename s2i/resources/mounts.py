"""Secrets and configmaps as files: each key of one is a file of a folder in the container. Pure."""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Iterable, Mapping

import msgspec

from s2i.errors import E_MOUNT
from s2i.resources.bundle import BundleKind
from s2i.resources.names import NAME

CODE = ("/app", "/opt/venv")  # where images that are built here have the code and what it needs
KERNEL = ("/proc", "/sys", "/dev")
# What these hold an image needs; a folder within is another matter.
WHOLE = frozenset(
    f"/{name}" for name in ("", "bin", "etc", "home", "lib", "lib64", "opt", "root", "run", "sbin", "tmp", "usr", "var")
) | {"/usr/bin", "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/sbin", "/var/run"}
LENGTH = 200  # characters of a folder's path


class Mount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All keys of a bundle as files of ``directory`` in the container.

    ``version``: which of its versions (0: the newest when the container starts).
    """

    kind: BundleKind
    name: str
    directory: str
    version: int = 0


class Files(msgspec.Struct, frozen=True):
    """What a folder of a container is to hold: names and contents. It hides these wherever it is shown."""

    directory: str
    content: tuple[tuple[str, bytes], ...]

    def __repr__(self) -> str:
        return f"<files in {self.directory}>"


def parse(kind: BundleKind, text: str) -> Mount:
    """Parse DIR=NAME. Raises E_MOUNT."""
    directory, equals, name = text.rpartition("=")
    if not equals:
        raise E_MOUNT(kind=kind, value=text, why="it is not DIR=NAME")
    return checked(Mount(kind, name, directory), text)


def checked(one: Mount, text: str = "") -> Mount:
    """Return ``one`` when it can be. Raises E_MOUNT."""
    strange = not NAME.fullmatch(one.name)
    why = f'there can be no {one.kind} "{one.name}"' if strange else why_not(one.directory)
    if why:
        raise E_MOUNT(kind=one.kind, value=text or written(one), why=why)
    return one


def checked_all(every: Iterable[Mount]) -> tuple[Mount, ...]:
    """Return mounts when one container can have all of them. Raises E_MOUNT."""
    found = tuple(map(checked, every))
    for one, other in itertools.permutations(found, 2):
        if is_in(other.directory, one.directory):
            raise E_MOUNT(kind=other.kind, value=written(other), why=f"{one.directory} is another's already")
    return found


def files(one: Mount, values: Mapping[str, bytes]) -> Files:
    """Return the files that a mount gives. Raises E_MOUNT when a key can be none."""
    if strange := [key for key in values if key in (".", "..")]:
        raise E_MOUNT(kind=one.kind, value=written(one), why=f'its key "{strange[0]}" is no name of a file')
    return Files(one.directory, tuple(sorted(values.items())))


def written(one: Mount) -> str:
    """Return a mount as a person writes it."""
    return f"{one.directory}={one.name}"


def why_not(directory: str) -> str:
    """Return why nothing can be mounted at a folder of a container, "" when something can."""
    if not directory.startswith("/"):
        return "its folder has to begin with /"
    if not directory.isprintable() or not directory.isascii() or len(directory) > LENGTH:
        return f"its folder has to be of ASCII letters and signs, {LENGTH} of them at most"
    if posixpath.normpath(directory) != directory or directory.startswith("//"):
        return f"its folder is written {posixpath.normpath('/' + directory.lstrip('/'))}"
    if any(is_in(directory, part) for part in KERNEL):
        return f"{directory} is the kernel's"
    if any(is_in(directory, part) for part in CODE):
        return f"{directory} is where the code of the app is"
    return f"{directory} itself is the image's: name a folder in it" if directory in WHOLE else ""


def is_in(directory: str, other: str) -> bool:
    """Say whether a folder is another one, or in it."""
    return f"{directory}/".startswith(f"{other}/")
