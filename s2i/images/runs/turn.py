"""So many builds at a time, and no more: the others wait for their turn.

A turn is the lock of a file, which the system lets go of when its process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

from s2i import dirs
from s2i.errors import E_BUILD_CANCELLED, E_VALUE, S2IError
from s2i.images.events import StepEvent

SETTING = "S2I_BUILDS"
MOST = 256
WAIT_SECONDS = 0.1
STEP = "turn"


def turns() -> int:
    """Return how many builds may run at a time: S2I_BUILDS, else a build for each core. Raises E_VALUE."""
    given = os.environ.get(SETTING, "")
    if not given:
        return min(os.cpu_count() or 1, MOST)
    number = int(given) if given.isascii() and given.isdigit() and len(given) <= len(str(MOST)) else 0
    if not 1 <= number <= MOST:
        raise E_VALUE(what=SETTING, value=given, why=f"it is not a number from 1 to {MOST}", command="build")
    return number


@contextlib.contextmanager
def taken(on_event: Callable[[StepEvent], None], cancelled: Event) -> Iterator[None]:
    """Hold a turn for the block; waiting for one is told as a step. Raises E_BUILD_CANCELLED, E_VALUE."""
    count = turns()
    folder: Path | None = None
    held: int | None = None
    with contextlib.suppress(OSError, S2IError):  # nowhere to count: better a build too many than none
        folder = dirs.make_private(dirs.runtime() / "builds")
        held = _try(folder, count)
    try:
        if folder and held is None:
            held = _waited(folder, count, on_event, cancelled)
        yield
    finally:
        if held is not None:
            os.close(held)


def _waited(folder: Path, count: int, on_event: Callable[[StepEvent], None], cancelled: Event) -> int:
    began = time.monotonic()
    name = f"wait: {count} {'build runs' if count == 1 else 'builds run'}, no more may at a time ({SETTING})"
    on_event(StepEvent("started", STEP, name))
    while (held := _try(folder, count)) is None:
        if cancelled.is_set():
            raise E_BUILD_CANCELLED()
        time.sleep(WAIT_SECONDS)
    on_event(StepEvent("done", STEP, name, round(time.monotonic() - began, 3)))
    return held


def _try(folder: Path, count: int) -> int | None:
    """Return a file whose lock is ours now; None when others have them all."""
    for number in range(count):
        file = os.open(folder / f"turn-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        except BaseException:
            os.close(file)
            raise
        else:
            return file
    return None
