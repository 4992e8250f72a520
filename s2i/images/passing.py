"""Faults of the engine's own that a second try mends. The knowledge is in passing.toml."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from s2i.errors import E_BUILD_LATER, S2IError
from s2i.planning import toml
from s2i.sources import Notice

_T = TypeVar("_T")
# What some clients put before the engine's own words.
_TOLD = r"(?:rpc error: code = \w+ desc = )?"


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known fault: the pattern that shows it, how to say it, who saw it."""

    pattern: str
    why: str
    seen: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fault: tuple[Fault, ...]


def twice(build: Callable[[], _T], on_again: Callable[[Notice], None]) -> _T:
    """Build, and once more when the engine fails at it by a fault of its own. Raises what ``build`` does."""
    try:
        return build()
    except S2IError as error:
        if error.kind is not E_BUILD_LATER:
            raise
        why = error.facts["why"]
    on_again(Notice("W_BUILT_AGAIN", f"the engine failed by a fault of its own ({why}): the image is built once more"))
    return build()


def fault(said: str) -> Fault | None:
    """Return the fault that ``said`` tells of: what the engine itself says of a step that failed. None: it is no such.

    Nothing that a step of the user's does is taken for one: the engine then begins with the step's command.
    """
    return next((row for row in faults() if re.match(_TOLD + row.pattern, said)), None)


@functools.cache
def faults() -> tuple[Fault, ...]:
    """Return the known faults."""
    return toml.load(Path(__file__).with_name("passing.toml"), _Table).fault
