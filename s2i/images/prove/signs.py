"""What a log says about the cause: the table signs.toml. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from s2i.planning import toml

MATCHED = 1000  # characters of a line that are looked at


class Sign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: what ``pattern`` shows; ``why`` says who prints that, ``link`` where it is written."""

    cause: Literal["outside", "variable"]
    pattern: str
    why: str
    link: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sign: tuple[Sign, ...]


class Read(msgspec.Struct, frozen=True):
    """A sign that was found: the ``line`` that shows it; ``name`` of the variable that is wanted.

    ``own``: what the code itself says of that variable.
    """

    cause: Literal["outside", "variable"]
    line: str
    name: str = ""
    own: str = ""


@functools.cache
def _known() -> tuple[tuple[Sign, re.Pattern[str]], ...]:
    table = toml.load(Path(__file__).with_name("signs.toml"), _Table)
    return tuple((sign, re.compile(sign.pattern)) for sign in table.sign)


def read(lines: Sequence[str]) -> Read | None:
    """Return the first sign that the lines show, by the order of the table; of its lines the last."""
    for sign, pattern in _known():
        for line in reversed(lines):
            if found := pattern.search(line[:MATCHED]):
                groups = found.groupdict()
                return Read(sign.cause, line.strip(), groups.get("name") or "", groups.get("own") or "")
    return None
