"""What images take on disk: layers that several share are there once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Layer = tuple[object, ...]


def layers(history: Sequence[Mapping[str, Any]]) -> dict[Layer, int]:
    """Return the bytes of each layer of an image, by what it was made of, from the engine's history (newest first).

    Two images share a layer when that and all below it were made by the same steps, at the same time, of the same size.
    """
    found: dict[Layer, int] = {}
    below: Layer = ()
    for one in reversed(history):
        below = (hash(below), one["Created"], one["CreatedBy"], one["Size"])
        found[below] = int(one["Size"])
    return found


def taken(images: Iterable[Mapping[Layer, int]], bases: Iterable[Mapping[Layer, int]]) -> int:
    """Return the bytes that ``images`` take together, without what they have of ``bases``."""
    every: dict[Layer, int] = {}
    for image in images:
        every |= image
    for base in bases:
        for layer in base:
            every.pop(layer, None)
    return sum(every.values())
