"""A source that somebody sent: kept in a private folder from when it comes until its deployment has ended."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from s2i import dirs
from s2i.errors import E_BUSY, E_UPLOAD
from s2i.sources import local
from s2i.sources.limits import Limits
from s2i.sources.source import Upload, checked
from s2i.sources.tree import Origin, Tree
from s2i.sources.workspace import remove

LIMIT = 256 << 20  # bytes of an archive
WAITING = 8  # of a project, that no deployment has taken
WAIT_SECONDS = 900.0
CLAIMED, ARCHIVE, FILES = "claimed", "archive", "files"


def begin(project: str, now: float) -> str:
    """Make room for a new one in a project, and return its id. Raises E_BUSY when too many wait."""
    above = dirs.make_private(_home() / project)
    sweep(now)
    if sum(not (one / CLAIMED).exists() for one in above.iterdir()) >= WAITING:
        raise E_BUSY(name="what is sent to the project", holder=f"{WAITING} folders wait for their deployment")
    ident = secrets.token_hex(16)
    (above / ident).mkdir(mode=0o700)
    return ident


def archive_of(project: str, ident: str) -> Path:
    """Return where the archive of one goes while it comes."""
    return _home() / project / ident / ARCHIVE


def unpack(project: str, ident: str, limits: Limits | None = None) -> int:
    """Unpack the archive that has come, which goes; return the number of files. Raises E_ARCHIVE."""
    from s2i.sources import archive  # with it come compression libraries: a server that is sent nothing needs none

    path = archive_of(project, ident)
    (path.parent / FILES).mkdir(mode=0o700)
    with path.open("rb") as file:
        count = archive.unpack(file, path.parent / FILES, limits or Limits())
    path.unlink()
    return count


def claim(one: Upload) -> None:
    """Take one for a deployment: no other may have it, and it stays until ``forget``. Raises E_UPLOAD."""
    folder = _place(one)
    try:
        if not (folder / FILES).is_dir() or (folder / ARCHIVE).exists():
            raise FileNotFoundError
        os.close(os.open(folder / CLAIMED, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        raise E_UPLOAD(why="what was sent is not there any more", advice="run the same command again") from None


def listing(one: Upload, limits: Limits) -> Tree:
    """List one as a Tree. Raises as local.listing does."""
    origin = Origin(kind="folder", place=one.title, commit=one.commit)
    return local.contents(_place(one) / FILES, origin, limits, shown=one.title)


def forget(project: str, ident: str) -> None:
    """Remove one, as far as it is there."""
    with contextlib.suppress(OSError):
        remove(_home() / project / ident)


def sweep(now: float) -> None:
    """Remove those that nobody has deployed in time."""
    for one in _home().glob("*/*"):
        with contextlib.suppress(OSError):
            if not (one / CLAIMED).exists() and now - one.lstat().st_mtime > WAIT_SECONDS:
                remove(one)


def clear() -> None:
    """Remove all, at the start of a server: the deployments of the one before it have ended with it."""
    with contextlib.suppress(OSError):
        remove(_home())


def _place(one: Upload) -> Path:
    checked(one)  # its id is a part of a path
    return _home() / one.project / one.id


def _home() -> Path:
    return dirs.state() / "uploads"
