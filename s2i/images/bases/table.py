"""The table of Pythons (buildpacks/python/bases.toml), and the names of their images."""

from __future__ import annotations

import functools
import os

import msgspec

from s2i import assets
from s2i.planning.plan import Base

RECIPE = "1"  # raise it when images made before must be made again
RECIPE_LABEL = "s2i.base.recipe"


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One Python: the registry's ``image``, and the Debian ``suite`` whose packages make the same ("" for none)."""

    python: str
    image: str
    suite: str = ""
    extra: tuple[str, ...] = ()
    default: bool = False


@functools.cache
def rows() -> tuple[Row, ...]:
    """Return the table, oldest Python first."""
    import tomllib

    text = (assets.folder("buildpacks") / "python" / "bases.toml").read_text()
    return msgspec.convert(tomllib.loads(text)["base"], tuple[Row, ...])


def row(python: str) -> Row | None:
    """Return the row of ``python`` ("3.13"), None when there is none."""
    return next((row for row in rows() if row.python == python), None)


def defaults() -> tuple[str, ...]:
    """Return the Pythons that `s2i doctor --fix` sees to, newest first."""
    return tuple(row.python for row in reversed(rows()) if row.default)


def local(python: str) -> Base:
    """Return the base that s2i makes from Debian's packages."""
    return Base(
        python=python,
        build=f"s2i.local/python-build:{python}",
        runtime=f"s2i.local/python:{python}",
        interpreter="/usr/bin/python3",
        uv=True,
    )


def official(row: Row) -> Base:
    """Return the base of a registry. ``S2I_BASE_REGISTRY`` names a mirror that carries ``python``."""
    mirror = os.environ.get("S2I_BASE_REGISTRY", "").rstrip("/")
    image = f"{mirror}/{row.image}" if mirror else row.image
    return Base(python=row.python, build=image, runtime=image, interpreter="/usr/local/bin/python3")
