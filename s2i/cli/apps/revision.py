"""How a revision is named: r3, or 3."""

from __future__ import annotations

import re

from s2i.errors import E_VALUE

_REVISION = re.compile(r"r?([1-9][0-9]{0,8})")


def number_of(text: str, command: str) -> int:
    """Return the number of the revision that ``text`` names. Raises E_VALUE."""
    if not (found := _REVISION.fullmatch(text)):
        raise E_VALUE(what="revision", value=text, why="it is not like r3", command=command)
    return int(found[1])
