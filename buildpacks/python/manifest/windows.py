"""Distributions that only Windows has: left out, and said."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import msgspec

from buildpacks.python.requirements import Requirement
from s2i.planning import toml
from s2i.sources import Notice

PATH = Path(__file__).with_name("windows.toml")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of windows.toml."""

    name: str
    why: str
    link: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    windows: tuple[Row, ...]


def only(wanted: Iterable[Requirement]) -> tuple[tuple[Requirement, ...], tuple[Notice, ...]]:
    """Return those that can only be installed on Windows and have no marker that says so, each with a notice."""
    plain = [r for r in wanted if not r.marker]
    rows = _rows() if toml.mentions(PATH, (r.name for r in plain)) else {}
    found = tuple(r for r in plain if r.name in rows)
    notices = (Notice("W_WINDOWS_ONLY", f"{r.name} is left out: {rows[r.name].why}", r.where) for r in found)
    return found, tuple(notices)


@functools.cache
def _rows() -> dict[str, Row]:
    table = toml.load(PATH, _Table)
    return {row.name: row for row in table.windows}
