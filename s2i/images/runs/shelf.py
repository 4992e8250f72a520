"""The folders of build runs: found by id, listed newest first, the oldest dropped."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

import msgspec

from s2i import dirs
from s2i.errors import E_BUILD_RUN
from s2i.images.runs.run import BuildRun
from s2i.patterns import lazily
from s2i.sources.workspace import remove as remove_folder

KEEP = 100  # runs
FEW = 3
KEEP_BYTES = 200 << 20
RECORD, PLAN, EVENTS, CANCEL = "run.json", "plan.json", "events.jsonl", "cancel"
_ID = lazily(r"[0-9a-z][0-9a-z-]{0,39}")


def place() -> Path:
    """Return the folder of all runs."""
    return dirs.state() / "builds"


def every() -> tuple[BuildRun, ...]:
    """Return the runs, newest first. A damaged one is left out, and never in the way of the others."""
    found = [run for name in _names() if (run := read(place() / name))]
    return tuple(sorted(found, key=lambda run: run.started, reverse=True))


def find(ident: str = "") -> BuildRun:
    """Return the run whose id is or begins with ``ident``; without one the newest. Raises E_BUILD_RUN."""
    if not ident:
        newest = next(iter(every()), None)
        if newest is None:
            raise E_BUILD_RUN(what="there is no build run yet")
        return newest
    near = [name for name in _names() if name.startswith(ident)]
    if ident not in near and len(near) > 1:
        raise E_BUILD_RUN(what=f'more than one build run begins with "{ident}": {", ".join(near[:5])}')
    run = read(place() / (ident if ident in near else near[0])) if near else None
    if run is None:
        raise E_BUILD_RUN(what=f'there is no build run "{ident}"')
    return run


def read(folder: Path) -> BuildRun | None:
    """Return the run of ``folder`` as it stands now; None when its record is absent or damaged."""
    try:
        run = msgspec.json.decode((folder / RECORD).read_bytes(), type=BuildRun)
        if run.status == "running" and not held(folder):
            # It may have come to its end between the two looks.
            run = msgspec.json.decode((folder / RECORD).read_bytes(), type=BuildRun)
            if run.status == "running":
                run = msgspec.structs.replace(run, status="interrupted", finished=_last_sign(folder, run))
    except (OSError, msgspec.MsgspecError):
        return None
    return msgspec.structs.replace(run, id=folder.name)


def held(folder: Path) -> bool:
    """Say whether a process records the run of ``folder``: the system lets go of its lock when it dies."""
    try:
        with (folder / EVENTS).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def prune(*, weigh: bool, quick: bool = False) -> None:
    """Drop the oldest runs beyond KEEP, and with ``weigh`` beyond KEEP_BYTES; never one that goes on.

    ``quick`` waits until there are twice as many, and drops a few at most: to remove a folder takes milliseconds.
    """
    names = _names()
    if not weigh and len(names) <= KEEP * (2 if quick else 1):
        return
    aged = sorted(((_touched(place() / name), place() / name) for name in names), reverse=True)
    dropped: list[Path] = []
    total = 0
    for number, (_, folder) in enumerate(aged, 1):
        total += _size(folder) if weigh else 0
        if (number > KEEP or total > KEEP_BYTES) and not held(folder):
            dropped.append(folder)
    for folder in dropped[-FEW:] if quick else dropped:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a run's folder, as far as that can be done."""
    with contextlib.suppress(OSError):
        remove_folder(folder)


def _names() -> list[str]:
    try:
        return sorted(name for name in os.listdir(place()) if _ID.fullmatch(name))  # noqa: PTH208 names, not paths
    except OSError:
        return []


def _touched(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _last_sign(folder: Path, run: BuildRun) -> float:
    with contextlib.suppress(OSError):
        return (folder / EVENTS).stat().st_mtime
    return run.started


def _size(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            total += entry.stat(follow_symlinks=False).st_size
    return total
