"""Regular expressions that are compiled when they are first used: all of them at once cost a third of a plan."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _Lazy:
    def __init__(self, pattern: Any, flags: int) -> None:
        self._made = (pattern, flags)

    def __getattr__(self, name: str) -> Any:
        compiled = re.compile(*self._made)
        for each in ("findall", "finditer", "fullmatch", "search", "split", "sub"):
            setattr(self, each, getattr(compiled, each))
        return getattr(compiled, name)


def lazily(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern with the methods of a compiled one. A mistake in it is found at its first use."""
    return cast("re.Pattern[AnyStr]", _Lazy(pattern, flags))
