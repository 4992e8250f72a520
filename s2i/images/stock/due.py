"""Whether it is time to look for what builds before left. Asked after every build: a few system calls."""

from __future__ import annotations

import contextlib

from s2i import dirs
from s2i.images.carried.folder import folder_of

EVERY_SECONDS = 3600.0


def due(image: str, seconds: float, now: float) -> bool:
    """Say whether to look now: ``image`` is new, and nobody has looked in the last hour. It counts as done then.

    ``seconds``: how long its build took; ``now`` in epoch seconds.
    """
    stamp = dirs.cache() / "images-tidied"
    try:
        if (folder_of(image) / "provenance.json").stat().st_mtime < now - seconds:
            return False
        if now - stamp.stat().st_mtime < EVERY_SECONDS:
            return False
    except OSError:
        if not folder_of(image).is_dir():
            return False
    with contextlib.suppress(OSError):
        stamp.touch()
    return True
