"""Plans on the disk: what `s2i plan --save` writes and `s2i build --plan` reads."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from s2i.errors import E_OVERWRITE, E_PLAN
from s2i.planning import saved
from s2i.planning.plan import BuildPlan


def save(plan: BuildPlan, name: str) -> None:
    """Write a plan to the file ``name``, at once and whole. Raises E_OVERWRITE for what is there and is no plan."""
    path = Path(name)
    advice = "give another name, or move that away"
    try:
        found = path.lstat()
    except OSError:
        found = None
    if found is not None and not (stat.S_ISREG(found.st_mode) and saved.is_plan(_head(path))):
        raise E_OVERWRITE(path=name, why="what is there is no plan", fix=advice)
    write(path, saved.encode(plan))


def load(name: str) -> BuildPlan:
    """Return the plan in the file ``name``. Raises E_PLAN for what cannot be built as it stands."""
    try:
        data = _head(Path(name))
    except OSError as error:
        raise E_PLAN(why=error.strerror or "it cannot be read", where=name) from None
    plan = saved.decode(data, name)
    from s2i.images.dockerfile import wrong

    if found := wrong(plan):
        raise saved.refused_word(*found, where=name)
    return plan


def write(path: Path, data: bytes) -> None:
    """Put ``data`` into a file in one go: whoever reads it sees the old one or the new. Raises E_OVERWRITE."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with draft.open("xb") as file:
                file.write(data)
            draft.replace(path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    except OSError as error:
        why = error.strerror or str(error)
        raise E_OVERWRITE(path=path, why=why, fix="name a file in a folder that you can write to") from None


def _head(path: Path) -> bytes:
    """Return the bytes of a regular file, one more than a plan may have at most. Raises OSError."""
    # O_NONBLOCK: a FIFO would wait for somebody to write.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is no regular file")
        return file.read(saved.LIMIT + 1)
