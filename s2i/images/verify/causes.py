"""Why a file differs from one build to the next, most likely, and what to do: the table causes.toml."""

from __future__ import annotations

import fnmatch
import functools
import re
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from s2i.images.verify.layers import Difference, What

Shows = Literal["", "order", "date", "random"]
_DATE = re.compile(rb"\d{4}-\d\d-\d\d|\d\d:\d\d:\d\d|\b1[6-9]\d{8}\b|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b")
_RANDOM = re.compile(rb"[0-9a-fA-F]{8}|[A-Za-z0-9_-]{16}|\d\.\d{6}")


class Cause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: the paths, differences and contents that it is about (what is left out fits anything), and its words.

    ``by``: the instructions that made the layer. ``engine``: the engine does it, and nothing in the source can help.
    """

    cause: str
    fix: str
    path: str = "*"
    what: tuple[What, ...] = ()
    shows: Shows = ""
    folder: bool = False
    by: tuple[str, ...] = ()
    engine: bool = False


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cause: tuple[Cause, ...]


class Finding(msgspec.Struct, frozen=True):
    """One path that differs: in which layer of the image (from 1), in what, why most likely, and what to do."""

    path: str
    layer: int
    what: tuple[str, ...]
    cause: str
    fix: str


@functools.cache
def causes() -> tuple[Cause, ...]:
    """Return the table, in order: the first row that fits is the one."""
    with Path(__file__).with_name("causes.toml").open("rb") as file:
        return msgspec.convert(tomllib.load(file), _Table).cause


def explain(difference: Difference) -> Cause:
    """Return the most likely cause of a difference."""
    return next(row for row in causes() if _fits(row, difference))


def _fits(row: Cause, difference: Difference) -> bool:
    if not fnmatch.fnmatchcase(difference.path, row.path) or (row.folder and not difference.folder):
        return False
    if row.by and difference.by not in row.by:
        return False
    if row.what and not set(row.what) & set(difference.what):
        return False
    if row.engine and difference.what != row.what:
        return False
    return not row.shows or shows(*difference.contents) == row.shows


def shows(first: bytes, second: bytes) -> Shows:
    """Say what two contents of one file show: the same lines in another order, another date, something random."""
    left, right = first.splitlines(), second.splitlines()
    if first != second and sorted(left) == sorted(right):
        return "order"
    if len(left) == len(right):
        changed = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
    else:
        changed = list(zip(sorted(set(left) - set(right)), sorted(set(right) - set(left)), strict=False))
    for one, other in changed[:20]:
        if _DATE.search(one) and _DATE.search(other):
            return "date"
    for one, other in changed[:20]:
        if sorted(re.findall(rb"\w+", one)) == sorted(re.findall(rb"\w+", other)):
            return "order"
        if _RANDOM.search(one) and _RANDOM.search(other):
            return "random"
    return ""
