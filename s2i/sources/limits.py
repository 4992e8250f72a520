"""How much of a source is taken: what goes past these is refused before it costs much."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """``files`` and ``size`` (bytes, in all) of a tree; ``path`` of one folder in it, in bytes.

    ``seconds`` for each git command, ``stall`` without progress. A tree past ``files`` or ``size`` is nearly always
    data or an environment that got in by accident.
    """

    files: int = 20_000
    size: int = 1 << 30
    seconds: float = 300.0
    stall: int = 10
    path: int = 3_800  # bytes: Linux has 4,096, and an image is unpacked some folders down
    memory: int = 1 << 30  # address space of a git process, bytes
