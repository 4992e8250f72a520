"""Open what is beneath a folder, one part of a path at a time, so that no link can lead elsewhere.

A link that somebody swaps in later does not help: each part is opened relative to its parent, with O_NOFOLLOW.
Python has no openat2(RESOLVE_BENEATH). One file descriptor is held whatever the depth.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO for reading would wait for a writer.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class NotRegular(OSError):
    """What is there is a folder, a link, a FIFO, a socket or a device."""


def open_root(root: Path) -> int:
    """Return a descriptor of the folder ``root``; its own path may have links."""
    return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def enter(folder: int, name: str) -> int:
    """Return a descriptor of the subfolder ``name`` and close ``folder``, which stays open when OSError is raised."""
    below = os.open(name, _FOLDER, dir_fd=folder)
    os.close(folder)
    return below


def descend(root: Path, path: str, *, make: bool = False) -> int:
    """Return a descriptor of the folder ``path`` ("" for the root itself); ``make`` creates what is missing."""
    folder = open_root(root)
    try:
        for part in filter(None, path.split("/")):
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=folder)
            folder = enter(folder, part)
    except OSError:
        os.close(folder)
        raise
    return folder


def open_file(folder: int, name: str) -> tuple[int, os.stat_result]:
    """Return a descriptor of the regular file ``name`` in ``folder``, and its stat. Raises NotRegular, OSError."""
    file = os.open(name, _FILE, dir_fd=folder)
    info = os.fstat(file)
    if not stat.S_ISREG(info.st_mode):
        os.close(file)
        raise NotRegular(name)
    return file, info


def take(file: int, size: int, limit: int) -> bytes:
    """Read at most ``limit`` bytes of ``file``, which had ``size`` when it was opened."""
    # Asked for one byte more than there should be, so that the same call tells that there is none. A buffer of the
    # most that may come would be made, and cut again, for each of thousands of small files.
    taken = os.read(file, min(limit, size + 1))
    if len(taken) == size:
        return taken
    more = bytearray(taken)
    while len(more) < limit and (chunk := os.read(file, min(limit - len(more), 1 << 20))):
        more += chunk
    return bytes(more)


def chunks(file: int, size: int) -> Iterator[bytes]:
    """Yield the first ``size`` bytes of ``file``, fewer when it has become shorter."""
    while size > 0 and (chunk := os.read(file, min(size, 1 << 20))):
        size -= len(chunk)
        yield chunk


def head(folder: int, name: str, limit: int) -> bytes:
    """Return the first ``limit`` bytes of the regular file ``name``, b"" when it cannot be read."""
    try:
        file, info = open_file(folder, name)
    except OSError:
        return b""
    try:
        return take(file, info.st_size, limit)
    finally:
        os.close(file)


def open_at(root: Path, path: str) -> tuple[int, os.stat_result]:
    """Return a descriptor of the regular file ``path`` beneath ``root``, and its stat. Raises NotRegular, OSError."""
    above, _, name = path.rpartition("/")
    folder = descend(root, above)
    try:
        return open_file(folder, name)
    finally:
        os.close(folder)
