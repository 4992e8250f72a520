"""The table of Pythons (buildpacks/python/bases.toml), and the names of their images."""

from __future__ import annotations

import functools
import os
import re
from typing import Literal

import msgspec

from s2i import assets
from s2i.patterns import lazily
from s2i.planning.plan import Base

# Raise one when images made before must be made again: of Debian's own Python, and of an installed one.
RECIPE, RECIPE_INSTALLED = "2", "installed-1"
RECIPE_LABEL = "s2i.base.recipe"
DEBIAN_PYTHON = "/usr/bin/python3"
OWN_PYTHON = "/usr/local/bin/python3"  # of official images, and of those made from an installation
INTERPRETERS = {RECIPE: DEBIAN_PYTHON, RECIPE_INSTALLED: OWN_PYTHON}
_LOCAL = lazily(r"s2i\.local/python(?:-build)?:(3\.\d{1,2})", re.ASCII)


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


def local(python: str, interpreter: str = DEBIAN_PYTHON, obtain: Literal["here", "make"] = "here") -> Base:
    """Return the base that s2i makes on this machine."""
    return Base(
        python=python,
        build=f"s2i.local/python-build:{python}",
        runtime=f"s2i.local/python:{python}",
        interpreter=interpreter,
        uv=True,
        obtain=obtain,
    )


def python_of(image: str) -> str:
    """Return the Python of an image that s2i makes, "" when ``image`` is not called like one."""
    found = _LOCAL.fullmatch(image)
    return found[1] if found and row(found[1]) else ""


def official(row: Row, obtain: Literal["here", "pull"] = "here") -> Base:
    """Return the base of a registry. ``S2I_BASE_REGISTRY`` names a mirror that carries ``python``."""
    mirror = os.environ.get("S2I_BASE_REGISTRY", "").rstrip("/")
    image = f"{mirror}/{row.image}" if mirror else row.image
    return Base(python=row.python, build=image, runtime=image, interpreter=OWN_PYTHON, obtain=obtain)
