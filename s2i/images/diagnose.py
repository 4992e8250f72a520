"""From the last lines of a failed build to one clear error. The knowledge is in faults.toml."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from s2i.errors import E_BUILD, KINDS, Kind, S2IError

SHOWN_LINES = 12
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known cause: an error's code, the pattern that shows it, and how to say it."""

    kind: str
    pattern: str
    why: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fault: list[Fault]


@functools.cache
def faults() -> tuple[Fault, ...]:
    """Return the known causes, in the order in which they are tried."""
    with Path(__file__).with_name("faults.toml").open("rb") as file:
        return tuple(msgspec.convert(tomllib.load(file), _Table).fault)


def diagnose(step: str, lines: Sequence[str]) -> S2IError:
    """Return the error for a build that failed in ``step`` with these last lines."""
    clean = [_ANSI.sub("", line).rstrip() for line in lines]
    text = "\n".join(clean)
    shown = [line for line in clean if line][-SHOWN_LINES:]
    for fault in faults():
        if found := re.search(fault.pattern, text):
            groups = {name: _inline(value or "") for name, value in found.groupdict().items()}
            return _kind(fault)(step=step, why=fault.why.format_map(groups), log=shown)
    return E_BUILD(step=step, why="the command failed", log=shown)


def _kind(fault: Fault) -> Kind:
    return KINDS[fault.kind]


def _inline(text: str) -> str:
    return " ".join(text.split())
