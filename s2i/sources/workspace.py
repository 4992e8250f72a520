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


@contextlib.contextmanager
def workspace(purpose: str) -> Iterator[Path]:
    """Make a folder (mode 0700) under the cache for the block, and remove it with all that is in it.

    What was left there by a process that was killed goes first.
    """
    import tempfile  # with it come four compression libraries, which `s2i plan` of a folder has no use for

    parent = dirs.make_private(dirs.cache() / "work")
    sweep(time.time())
    folder = Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=parent))
    with _held(folder):
        try:
            yield folder
        finally:
            remove(folder)


def sweep(now: float) -> int:
    """Remove the work folders whose process was killed; ``now`` in epoch seconds. Returns how many there were."""
    count = 0
    for folder in (dirs.cache() / "work").glob("*"):
        with contextlib.suppress(OSError):
            # A folder is held as soon as it is made, but not at the same instant.
            if now - folder.lstat().st_mtime < 1.0:
                continue
            with _held(folder):
                remove(folder)
            count += 1
    return count


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


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Lock ``folder`` for the block: the system lets go when the process dies. Raises OSError when it is held."""
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(here, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
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
