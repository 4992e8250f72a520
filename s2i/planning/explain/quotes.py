"""Quote the source: the line that a ``file:line`` names."""

from __future__ import annotations

import re

from s2i.errors import S2IError
from s2i.planning.explain.values import Quote
from s2i.sources import Tree

LIMIT = 8 << 20  # a lock is read up to this size as well
_PLACE = re.compile(r"(.+):([0-9]{1,9})", re.DOTALL)
_TABLE = re.compile(r"([a-z]+\.toml): (.+)", re.DOTALL)


def place(origin: str) -> tuple[str, int] | None:
    """Return the path and the line of ``file:line``, None for what is a rule's name."""
    found = _PLACE.fullmatch(origin)
    return (found[1], int(found[2])) if found else None


def lines(tree: Tree, path: str) -> list[str]:
    """Return the lines of a file as far as they can be read; [] when they cannot."""
    try:
        data = tree.read(path, LIMIT)
    except S2IError:
        return []
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, errors="replace").removesuffix("\n").split("\n")


def quote(tree: Tree, origin: str) -> Quote:
    """Return ``origin`` with the line that it names; a rule's name in words that a stranger understands."""
    at = place(origin)
    if at and at[0] in tree:
        found = lines(tree, at[0])
        text = found[at[1] - 1].strip() if 0 < at[1] <= len(found) else ""
        return Quote(origin, text if any(map(str.isalnum, text)) else "")  # a bare # or } says nothing
    table = _TABLE.fullmatch(origin)
    if table and table[1] not in tree:
        return Quote(f"s2i's own table {table[1]}, for {table[2]}")
    return Quote(origin)
