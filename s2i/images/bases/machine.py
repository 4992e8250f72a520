"""What this machine can make base images of: a few looks at its files, nothing is run and nobody is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from s2i.images.bases import table
from s2i.patterns import lazily
from s2i.planning.plan import Base

_VERSION = lazily(r"3\.(\d{1,2})\.(\d{1,3})", re.ASCII)
_CODENAME = lazily(r'VERSION_CODENAME="?([a-z]+)"?', re.ASCII)
TOOL, APT = "usr/bin/mmdebstrap", "usr/bin/apt-get"


class Machine(msgspec.Struct, frozen=True):
    """``makes``: whether images can be made here. ``suite``: this very Debian release, "" on anything else.

    ``installed``: (Python, folder) of the Pythons that pyenv built here, the newest patch of each.
    """

    makes: bool = False
    suite: str = ""
    installed: tuple[tuple[str, str], ...] = ()


class Way(msgspec.Struct, frozen=True):
    """How a base is made here: out of the packages of ``suite``, with the Python in ``folder`` ("" for Debian's)."""

    python: str
    suite: str
    extra: tuple[str, ...] = ()
    folder: str = ""

    @property
    def interpreter(self) -> str:
        """Return the path of python3 in the images."""
        return table.OWN_PYTHON if self.folder else table.DEBIAN_PYTHON

    @property
    def base(self) -> Base:
        """Return the base that is made."""
        return table.local(self.python, self.interpreter)

    @property
    def recipe(self) -> str:
        """Return what the images are labelled with."""
        return table.RECIPE_INSTALLED if self.folder else table.RECIPE

    @property
    def origin(self) -> str:
        """Return where the Python comes from, for people."""
        return self.folder or f"Debian {self.suite}'s packages"


def look(root: Path = Path("/"), environment: Mapping[str, str] = os.environ, user: int | None = None) -> Machine:
    """Return what can be made here. ``user``: the numeric id, None for this process's own."""
    # mmdebstrap as another user needs subordinate ids and a folder that they can read: not tried, not offered.
    if (os.geteuid() if user is None else user) != 0 or not ((root / TOOL).exists() or (root / APT).exists()):
        return Machine()
    suite = _suite(root)
    # The interpreter is linked against this release's libraries: without its packages there is nothing to put it on.
    return Machine(True, suite, tuple(_installed(environment)) if suite else ())


def way(python: str, machine: Machine) -> Way | None:
    """Return how the base of ``python`` is made on ``machine``: Debian's own Python first; None: it cannot be."""
    row = table.row(python)
    if row is None or not machine.makes:
        return None
    if row.suite:
        return Way(python, row.suite, row.extra)
    folder = dict(machine.installed).get(python, "")
    return Way(python, machine.suite, _extra(machine.suite), folder) if folder else None


def _extra(suite: str) -> tuple[str, ...]:
    """Return what a release needs beside the usual packages, Debian's own Python left aside."""
    found = next((row.extra for row in table.rows() if row.suite == suite), ())
    return tuple(package for package in found if not package.startswith("python3"))


def _suite(root: Path) -> str:
    try:
        lines = (root / "etc/os-release").read_text(errors="replace").split("\n")
    except OSError:
        return ""
    name = next((match[1] for line in lines if (match := _CODENAME.fullmatch(line.strip()))), "")
    return name if any(row.suite == name for row in table.rows()) else ""


def _installed(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the newest of each Python under pyenv's root that has a program and its library of modules."""
    root = environment.get("PYENV_ROOT") or f"{environment.get('HOME', '')}/.pyenv"
    newest: dict[str, int] = {}
    try:
        names = os.listdir(f"{root}/versions")  # noqa: PTH208 - a Path for each costs more than the look itself
    except OSError:
        return
    for name in names:
        if match := _VERSION.fullmatch(name):
            python = f"3.{int(match[1])}"
            there = os.access(f"{root}/versions/{name}/bin/python{python}", os.X_OK)
            if there and Path(f"{root}/versions/{name}/lib/python{python}/os.py").exists():
                newest[python] = max(newest.get(python, -1), int(match[2]))
    for python in sorted(newest, key=lambda text: int(text[2:])):
        yield python, f"{root}/versions/{python}.{newest[python]}"
