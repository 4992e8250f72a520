"""Buildpacks: a folder each under buildpacks/, with ``buildpack.toml`` and a ``plan.py`` of two functions."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Protocol, cast

import msgspec

from s2i import assets
from s2i.planning import toml
from s2i.planning.detection import Detection
from s2i.planning.plan import Base, BuildPlan
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """buildpack.toml. The buildpack with the lowest ``order`` is asked first.

    ``says_of``: it has something to say when it is passed over, where one of these files is at the root.
    """

    name: str
    order: int
    summary: str
    says_of: tuple[str, ...] = ()


class Buildpack(Protocol):
    """What ``plan.py`` of a buildpack holds."""

    def detect(self, tree: Tree, given: Given, offered: tuple[Base, ...]) -> Detection:
        """Recognise the source; ``offered`` are the bases that there are. Raises a refusal (S2IError)."""
        ...

    def plan(self, tree: Tree, found: Detection) -> BuildPlan:
        """Plan the image of what ``detect`` found."""
        ...

    def places(self, tree: Tree) -> tuple[str, ...]:
        """Return the folders below the root that look like a source of their own, the outermost first."""
        ...

    def passed_over(self, tree: Tree) -> tuple[Notice, ...]:
        """Say what a person should know when a buildpack before this one was taken."""
        ...


def known() -> tuple[About, ...]:
    """Return the buildpacks, first to ask first."""
    found = [toml.load(path, About) for path in assets.folder("buildpacks").glob("*/buildpack.toml")]
    return tuple(sorted(found, key=lambda a: (a.order, a.name)))


def names() -> tuple[str, ...]:
    """Return the names of the buildpacks, first to ask first."""
    return tuple(about.name for about in known())


def load(name: str) -> Buildpack:
    """Import ``buildpacks/NAME/plan.py`` as the module ``buildpacks.NAME.plan``, in a checkout and in a wheel."""
    _make_importable(assets.folder("buildpacks"))
    return cast("Buildpack", importlib.import_module(f"buildpacks.{name}.plan"))


def _make_importable(folder: Path) -> None:
    package = sys.modules.get("buildpacks")
    if package is None or list(package.__path__) != [str(folder)]:
        package = types.ModuleType("buildpacks", "The buildpacks that came with s2i.")
        package.__path__ = [str(folder)]
        sys.modules["buildpacks"] = package
