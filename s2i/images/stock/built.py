"""Which images were built from this home, by the files beside them."""

from __future__ import annotations

from s2i.images.carried import record
from s2i.images.stock.collect import Built


def built() -> dict[str, Built]:
    """Return title and times of each image that was built from here, by its id."""
    return {one.image: Built(one.title, one.built, one.made) for one in record.every()}
