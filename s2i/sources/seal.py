"""What the files of a source held at one moment, and whether they hold it still: by reading once, then by looking.

A write changes the time of a file's last change (ctime), which no program can set; but it says nothing of two writes
within one tick of the clock. So a file that was changed just before it was read is read again, as Git does it:
https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from s2i.sources import beneath

if TYPE_CHECKING:
    from s2i.sources.tree import Entry

RECENT_NS = 2 * 10**9  # the coarsest clock of a file system is FAT's
Open = Callable[[str], AbstractContextManager[tuple[int, os.stat_result]]]
State = tuple[int, ...]


class Seal(NamedTuple):
    """``digest``: SHA-256, in hexadecimal, of all paths, modes and bytes. ``states``: by path, as they were then.

    ``recent``: the SHA-256 of each file whose state alone could not tell a write.
    """

    digest: str
    states: dict[str, State]
    recent: dict[str, bytes]


def seal(entries: Iterable[Entry], opened: Open) -> Seal:
    """Read every file. Raises as ``opened`` does."""
    whole = hashlib.sha256()
    states: dict[str, State] = {}
    recent: dict[str, bytes] = {}
    for entry in entries:
        with opened(entry.path) as (file, info):
            name = os.fsencode(entry.path)
            whole.update(b"%d:%b:%d:%d:" % (len(name), name, entry.executable, info.st_size))
            states[entry.path] = state(info)
            if time.time_ns() - info.st_ctime_ns > RECENT_NS:
                for chunk in beneath.chunks(file, info.st_size):
                    whole.update(chunk)
                continue
            alone = hashlib.sha256()
            for chunk in beneath.chunks(file, info.st_size):
                whole.update(chunk)
                alone.update(chunk)
            recent[entry.path] = alone.digest()
    return Seal(whole.hexdigest(), states, recent)


def holds(made: Seal, opened: Open, place: Callable[[str], str]) -> bool:
    """Say whether no file has been written to since, or is another one. ``place``: where a listed file really is.

    Raises as ``opened`` does, and OSError.
    """
    if any(state(os.lstat(place(path))) != before for path, before in made.states.items()):
        return False
    for path, before in made.recent.items():
        with opened(path) as (file, info):
            alone = hashlib.sha256()
            for chunk in beneath.chunks(file, info.st_size):
                alone.update(chunk)
        if alone.digest() != before:
            return False
    return True


def state(info: os.stat_result) -> State:
    """Return what of a file is another after every write to it, but for two in one tick."""
    return info.st_dev, info.st_ino, info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns
