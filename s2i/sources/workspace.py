"""A private folder for one piece of work, gone afterwards whichever way the work ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from s2i import dirs
from s2i.sources import beneath

# A workspace is locked as soon as it is made; this much longer than that moment takes.
STALE_SECONDS = 600.0


@contextlib.contextmanager
def workspace(purpose: str) -> Iterator[Path]:
    """Make a folder (mode 0700) under the cache for the block, and remove it with all that is in it."""
    import tempfile  # with it come four compression libraries, which `s2i plan` of a folder has no use for

    parent = dirs.make_private(dirs.cache() / "work")
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=parent))
    held = beneath.open_root(folder)
    try:
        fcntl.flock(held, fcntl.LOCK_SH)
        yield folder
    finally:
        os.close(held)
        remove(folder)


def remove(folder: Path) -> None:
    """Remove ``folder`` and what is in it, however deep (shutil.rmtree gives up at 1,000 levels). Follows no link.

    Raises OSError when something cannot be removed.
    """
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    names: list[str] = []
    try:
        while True:
            if below := _clear(here):
                here = beneath.enter(here, below)
                names.append(below)
            elif names:
                here = beneath.enter(here, "..")
                os.rmdir(names.pop(), dir_fd=here)
            else:
                break
    finally:
        os.close(here)
    folder.rmdir()


def _sweep(parent: Path) -> None:
    """Remove the workspaces of processes that were killed: old ones, which nobody holds a lock on."""
    for folder in parent.iterdir():
        with contextlib.suppress(OSError):  # somebody else's sweep, or the owner, was first
            if time.time() - folder.stat().st_mtime < STALE_SECONDS:
                continue
            here = beneath.open_root(folder)
            try:
                fcntl.flock(here, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(folder)
            finally:
                os.close(here)


def _clear(folder: int) -> str:
    """Unlink what is no folder and remove what is empty; return the name of a folder with something in it, or ""."""
    os.fchmod(folder, 0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
                continue
            try:
                os.rmdir(entry.name, dir_fd=folder)
            except OSError:
                return entry.name
    return ""
