"""Make a staged source one that BuildKit sees the changes of."""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

from s2i.sources import Tree

_CHUNK = 1 << 20


def tell_apart(tree: Tree, context: Path) -> None:
    """Give each staged file a fraction of a second that follows from its content; whole seconds stay.

    BuildKit keeps the last context that it was sent and asks only for files whose size or time differ. Staged files
    all have one time: a word changed for another of the same length would be built as it was before. Images hold
    whole seconds, so nothing of this is in them.
    """
    for entry in tree.files:
        path = context / entry.path
        with contextlib.suppress(OSError):  # a path that is too long to be named: BuildKit will say so
            whole = int(path.stat().st_mtime)
            stamp = whole * 10**9 + _checksum(path) % 10**9
            os.utime(path, ns=(stamp, stamp))


def _checksum(path: Path) -> int:
    total = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total
