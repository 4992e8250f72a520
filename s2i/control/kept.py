"""What containers wrote, kept in files when they go: one a container, the oldest removed first."""

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
APP_LIMIT, APP_FILES = 50 << 20, 100  # of an app: one that crashes for ever says the same for ever
RUN_LIMIT, RUN_FILES = 200 << 20, 5000  # of a job run: a thousand tasks with some attempts each
SMALL = 64 << 10  # bytes; no limit is near when one more of them comes
_ID = 12  # characters of a container's id that are enough to know it by
_NAME = re.compile(rf"(\d{{13,}})\.([a-z0-9-]+)\.([0-9a-f]{{1,{_ID}}})\.log")

log = logging.getLogger("s2i")


class Kept(msgspec.Struct, frozen=True):
    """What one container wrote: of which instance, when it ended in epoch seconds, and where that is."""

    instance: str
    ended: float
    container: str  # the beginning of its id
    path: Path


class Shelf(msgspec.Struct, frozen=True):
    """The folder where what the containers of one app or job run wrote is kept: ``most`` bytes in ``files`` files."""

    folder: Path
    most: int
    files: int

    def keep(self, instance: str, container: str, lines: Iterable[Line]) -> None:
        """Keep what a container wrote. To do it again changes nothing. Raises OSError, E_DOCKER."""
        part = self.folder / f"{container[:_ID]}.part"
        dirs.make_private(self.folder)
        try:
            if size := _write(part, lines):
                there = next((one.path for one in self.every() if one.container == container[:_ID]), None)
                part.replace(there or self.folder / f"{time.time_ns() // 1_000_000}.{instance}.{container[:_ID]}.log")
                self._prune(size)
        finally:
            part.unlink(missing_ok=True)

    def every(self) -> tuple[Kept, ...]:
        """Return what is kept, in the order in which the containers ended."""
        with contextlib.suppress(FileNotFoundError):
            found = [(_NAME.fullmatch(path.name), path) for path in self.folder.iterdir()]
            kept = [Kept(name[2], int(name[1]) / 1000, name[3], path) for name, path in found if name]
            return tuple(sorted(kept, key=lambda one: (one.ended, one.container)))
        return ()

    def forget(self) -> None:
        """Remove all that is kept here."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _prune(self, size: int) -> None:
        every = self.every()
        if size < SMALL and len(every) < self.files and len(every) * SMALL < self.most:
            return
        left = self.most
        for number, one in enumerate(reversed(every)):
            with contextlib.suppress(FileNotFoundError):  # another container, that ended just now, was faster
                left -= one.path.stat().st_size
                if number and (left < 0 or number >= self.files):
                    one.path.unlink()


def of_app(project: str, app: str) -> Shelf:
    """Return where what the instances of an app wrote is kept."""
    return Shelf(dirs.state() / "logs" / "apps" / project / app, APP_LIMIT, APP_FILES)


def of_run(project: str, run: str) -> Shelf:
    """Return where what the tasks of a job run wrote is kept."""
    return Shelf(dirs.state() / "logs" / "jobruns" / project / run, RUN_LIMIT, RUN_FILES)


def forget_project(project: str) -> None:
    """Remove all that is kept of a project's apps and job runs."""
    for kind in ("apps", "jobruns"):
        shutil.rmtree(dirs.state() / "logs" / kind / project, ignore_errors=True)


def keep(owner: Owner, container: str, lines: Iterable[Line]) -> None:
    """Keep what an instance of an app wrote; what fails is told the server's log, and no more.

    For a container that goes: it goes whether or not there is room for what it wrote.
    """
    try:
        of_app(owner.project, owner.name).keep(owner.instance, container, lines)
    except (OSError, S2IError) as error:
        log.warning("the log of %s/%s is not kept: %s", owner.name, owner.instance, error)


def read(one: Kept) -> Iterator[Line]:
    """Yield the lines; none when they are gone meanwhile."""
    with contextlib.suppress(FileNotFoundError), one.path.open("rb") as file:
        for line in file:
            at, _, text = line.partition(b" ")
            yield Line(at.decode("ascii", "replace"), text.removesuffix(b"\n"))


def is_of(one: Kept, container: str) -> bool:
    """Say whether a container, by its id, wrote it."""
    return container.startswith(one.container)


def _write(part: Path, lines: Iterable[Line]) -> int:
    size = 0
    with part.open("wb") as file:
        for line in lines:
            size += file.write(b"%b %b\n" % (line.at.encode(), line.text))
            if size >= ONE_LIMIT:
                break
    return size
