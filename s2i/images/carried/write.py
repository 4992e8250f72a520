"""Write the files beside a new image, all or none."""

from __future__ import annotations

import os
import shutil

import msgspec

from s2i import dirs
from s2i.images.carried.folder import DOCKERFILE, PLAN, PROVENANCE, folder_of
from s2i.images.carried.provenance import Made, statement
from s2i.planning import saved


def write(made: Made) -> None:
    """Write them. Raises OSError."""
    folder = folder_of(made.image)
    dirs.make_private(folder.parent)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        draft.mkdir(mode=0o700)
        (draft / PLAN).write_bytes(saved.canonical(made.plan))
        (draft / DOCKERFILE).write_text(made.dockerfile)
        provenance = msgspec.json.encode(statement(made))
        (draft / PROVENANCE).write_bytes(msgspec.json.format(provenance, indent=2) + b"\n")
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # a build of the same source may have been faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
