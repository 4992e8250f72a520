"""What instances of apps wrote, kept in files when their containers go: one a container, the oldest removed first."""

from __future__ import annotations

import contextlib
import logging
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from s2i import dirs
from s2i.engines.engine import Line, Owner
from s2i.errors import S2IError

ONE_LIMIT = 20 << 20  # bytes of one container; the engine itself keeps no more
APP_LIMIT = 50 << 20  # bytes of an app
APP_FILES = 100  # of an app: one that crashes for ever says the same for ever
_ID = 12  # characters of a container's id that are enough to know it by
_NAME = re.compile(rf"(\d{{13,}})\.([a-z0-9-]+)\.([0-9a-f]{{1,{_ID}}})\.log")

log = logging.getLogger("s2i")


class Kept(msgspec.Struct, frozen=True):
    """What one container wrote: of which instance, when it ended in epoch seconds, and where that is."""

    instance: str
    ended: float
    container: str  # the beginning of its id
    path: Path


def keep(owner: Owner, container: str, lines: Iterable[Line]) -> None:
    """Keep what an instance wrote. To do it again changes nothing; what fails is told the server's log, and no more.

    For a container that goes: it goes whether or not there is room for what it wrote.
    """
    folder = _folder(owner.project, owner.name)
    part = folder / f"{container[:_ID]}.part"
    try:
        dirs.make_private(folder)
        size = _write(part, lines)
        there = next((one.path for one in every(owner.project, owner.name) if one.container == container[:_ID]), None)
        if size:
            part.replace(there or folder / f"{time.time_ns() // 1_000_000}.{owner.instance}.{container[:_ID]}.log")
            _prune(owner.project, owner.name)
    except (OSError, S2IError) as error:
        log.warning("the log of %s/%s is not kept: %s", owner.name, owner.instance, error)
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)


def every(project: str, app: str) -> tuple[Kept, ...]:
    """Return what is kept of an app, in the order in which its instances ended."""
    with contextlib.suppress(FileNotFoundError):
        found = [(_NAME.fullmatch(path.name), path) for path in _folder(project, app).iterdir()]
        kept = [Kept(name[2], int(name[1]) / 1000, name[3], path) for name, path in found if name]
        return tuple(sorted(kept, key=lambda one: (one.ended, one.container)))
    return ()


def read(one: Kept) -> Iterator[Line]:
    """Yield the lines; none when they are gone meanwhile."""
    with contextlib.suppress(FileNotFoundError), one.path.open("rb") as file:
        for line in file:
            at, _, text = line.partition(b" ")
            yield Line(at.decode("ascii", "replace"), text.removesuffix(b"\n"))


def forget(project: str, app: str) -> None:
    """Remove what is kept of an app."""
    shutil.rmtree(_folder(project, app), ignore_errors=True)


def is_of(one: Kept, container: str) -> bool:
    """Say whether a container, by its id, wrote it."""
    return container.startswith(one.container)


def _folder(project: str, app: str) -> Path:
    return dirs.state() / "logs" / "apps" / project / app


def _write(part: Path, lines: Iterable[Line]) -> int:
    size = 0
    with part.open("wb") as file:
        for line in lines:
            size += file.write(b"%b %b\n" % (line.at.encode(), line.text))
            if size >= ONE_LIMIT:
                break
    return size


def _prune(project: str, app: str) -> None:
    left = APP_LIMIT
    for number, one in enumerate(reversed(every(project, app))):
        with contextlib.suppress(FileNotFoundError):  # another instance, that ended just now, was faster
            left -= one.path.stat().st_size
            if number and (left < 0 or number >= APP_FILES):
                one.path.unlink()
