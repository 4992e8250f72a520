"""The build context: the source in a folder of its own, whichever way it goes to the engine.

So the Dockerfile beside it is never part of the source, and every way of building gives the same image.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from pathlib import Path

import msgspec

from s2i.planning.plan import BuildPlan, Copy, Mount, Run, Step
from s2i.sources import Tree

SOURCE = "source"  # the folder of the context that holds the source
_CHUNK = 1 << 20


def moved(plan: BuildPlan) -> BuildPlan:
    """Return ``plan`` for a context that holds the source in its folder SOURCE."""
    return msgspec.structs.replace(plan, steps=tuple(map(_moved, plan.steps)))


def _moved(step: Step) -> Step:
    match step:
        case Copy(from_stage=None, image=""):
            return msgspec.structs.replace(step, sources=tuple(f"{SOURCE}/{path}" for path in step.sources))
        case Run():
            return msgspec.structs.replace(step, mounts=tuple(map(_bound, step.mounts)))
        case _:
            return step


def _bound(mount: Mount) -> Mount:
    if mount.type != "bind":
        return mount
    return msgspec.structs.replace(mount, source=f"{SOURCE}/{mount.source}")


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
