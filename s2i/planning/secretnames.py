"""Which names of variables look like a secret's. The words and the false friends are in secretnames.toml."""

from __future__ import annotations

import fnmatch
import functools
from pathlib import Path

import msgspec

from s2i.patterns import lazily
from s2i.planning import toml

_GAP = lazily(r"[_.-]+|(?<=[a-z0-9])(?=[A-Z])")


class _Friend(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    why: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: frozenset[str]
    endings: tuple[str, ...]
    friend: tuple[_Friend, ...]


def looks_secret(name: str) -> bool:
    """Say whether a variable of this name most likely holds a secret: API_TOKEN does, GPG_KEY and PWD do not."""
    table = _table()
    upper = "_".join(_GAP.split(name)).upper()
    if any(fnmatch.fnmatchcase(upper, friend.name) for friend in table.friend):
        return False
    return any(word in table.words or word.endswith(table.endings) for word in upper.split("_"))


@functools.cache
def _table() -> _Table:
    return toml.load(Path(__file__).with_name("secretnames.toml"), _Table)
