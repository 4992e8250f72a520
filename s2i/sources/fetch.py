"""Fetch a source: from what a person named to a Tree, for as long as a block lasts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, assert_never

from s2i.sources import local
from s2i.sources.limits import Limits
from s2i.sources.policy import Policy
from s2i.sources.source import Folder, Git, Given, Upload, checked
from s2i.sources.tree import Tree

if TYPE_CHECKING:
    import threading


@contextlib.contextmanager
def fetch(
    source: Given, *, policy: Policy, cancelled: threading.Event | None = None, limits: Limits | None = None
) -> Iterator[Tree]:
    """Yield the Tree of ``source``. A clone is gone after the block, whichever way it ends.

    ``cancelled`` stops a clone (E_CANCELLED). Raises what local.listing and clone.checkout raise.
    """
    limits = limits or Limits()
    source = checked(source)
    match source:
        case Folder(path=path, subdir=subdir):
            yield local.listing(path, subdir, limits)
        case Upload():
            from s2i.sources import upload

            yield upload.listing(source, limits)
        case Git():
            from s2i.sources import clone  # with it come processes; a folder needs none

            with clone.checkout(source, policy, limits, cancelled) as tree:
                yield tree
        case _:
            assert_never(source)
