"""The files of mounted secrets and configmaps: in the memory of this machine, bound into one container, read-only.

The engine fills no tmpfs of a container that has not begun, so the files lie in a folder of ours. It has the name of
the container, on a tmpfs and for its owner only: nobody can ask for a path, and after a reboot it is made again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from s2i import dirs
from s2i.engines.docker import connection
from s2i.errors import E_MOUNT_PLACE
from s2i.resources.app import Config, Opened
from s2i.resources.mounts import Files

UID = 1001  # of every container's user
SHARED = Path("/dev/shm")  # noqa: S108 - a tmpfs on every Linux; a folder of our own in it
STALE_SECONDS = 300.0  # a container is made within a call's limit after its folder
_MOUNTS = Path("/proc/self/mounts")


def files_of(config: Config) -> tuple[Files, ...]:
    """Return what a container of ``config`` is to find in its folders."""
    return config.files if isinstance(config, Opened) else ()


def sources(container: str, files: Sequence[Files]) -> tuple[Path, ...]:
    """Return where the files of a container, by its name, lie on this machine. Raises E_MOUNT_PLACE."""
    return tuple(_folder(container) / f"{number}" for number in range(len(files))) if files else ()


def lay(container: str, files: Sequence[Files]) -> None:
    """Write the files of a container, which can be running. Idempotent. Raises E_MOUNT_PLACE, E_NOT_PRIVATE."""
    if not files:
        return
    folder = _folder(container)
    try:
        for part in (folder.parent.parent, folder.parent, folder):  # the first may be where others can write
            dirs.make_private(part)
        for place, one in zip(sources(container, files), files, strict=True):
            place.mkdir(mode=0o700, exist_ok=True)
            for name, content in one.content:
                _write(folder / ".part", place / name, content)
            for strange in {path.name for path in place.iterdir()} - {name for name, _ in one.content}:
                (place / strange).unlink()
            _hand_over(place, 0o500)
    except OSError as error:
        raise E_MOUNT_PLACE(why=f"{folder}: {error.strerror or error}") from None


def forget(container: str) -> None:
    """Remove the files of a container that is gone."""
    with contextlib.suppress(Exception):  # where there is no place there are no files
        shutil.rmtree(_folder(container), ignore_errors=True)


def sweep(prefix: str, containers: Iterable[str], now: float) -> None:
    """Remove the files of containers whose names begin with ``prefix`` and that are none of these any more.

    Somebody else has removed such a container. ``now`` in epoch seconds.
    """
    known = set(containers)
    with contextlib.suppress(Exception):
        for one in os.scandir(_place()):
            if one.name.startswith(prefix) and one.name not in known and now - one.stat().st_mtime > STALE_SECONDS:
                forget(one.name)


def _write(part: Path, path: Path, content: bytes) -> None:
    """Write a file as a whole: what runs may be reading it. ``part`` is in no container."""
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    _hand_over(part, 0o400)
    part.replace(path)


def _hand_over(path: Path, mode: int) -> None:
    """Give ``path`` to the user of containers; of a server that is not root, to all of one: there is no other in it."""
    if os.geteuid() == 0:
        os.chown(path, UID, 0)
    else:
        mode |= mode >> 3 | mode >> 6 | 0o200  # the container sees all of it read-only
    path.chmod(mode)


def _folder(container: str) -> Path:
    return _place() / container


def _place() -> Path:
    """Return the folder of all these files. Raises E_MOUNT_PLACE."""
    if not connection.is_here():
        raise E_MOUNT_PLACE(why="the engine is on another machine")
    for folder in (dirs.runtime(), SHARED / f"s2i-{os.geteuid()}"):
        if _is_memory(folder):
            return folder / "mounts"
    raise E_MOUNT_PLACE(why=f"neither {dirs.runtime()} nor {SHARED} is in memory (tmpfs)")


def _is_memory(folder: Path) -> bool:
    """Say whether what is written below ``folder`` stays in memory."""
    path, best = os.path.realpath(folder), ("", "")
    for line in _MOUNTS.read_text().splitlines():
        _, point, kind, *_ = line.split()
        point = point.encode().decode("unicode_escape")  # spaces are written \040
        if f"{path}/".startswith(f"{point.rstrip('/')}/") and len(point) >= len(best[0]):
            best = (point, kind)
    return best[1] in ("tmpfs", "ramfs")
