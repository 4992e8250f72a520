"""Whether a .dockerignore leaves a path out, as Docker decides it (github.com/moby/patternmatcher).

s2i reads a .dockerignore in its own way (ignore.py, bounded against hostile patterns). This is for patterns that s2i
writes, to see that Docker will do with them what s2i does.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable


class Matcher:
    """The patterns of one .dockerignore. The last one that fits a path, or a folder above it, decides.

    With ``has_exceptions``, something in a folder that is left out may be taken in again.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._patterns = [found for line in lines if (found := _pattern(line))]
        self.has_exceptions = any(wanted for wanted, _ in self._patterns)

    def excludes(self, path: str) -> bool:
        """Say whether the file or folder ``path`` is left out."""
        parts = path.split("/")
        above = ["/".join(parts[: number + 1]) for number in range(len(parts))]
        excluded = False
        for wanted, pattern in self._patterns:
            if wanted == excluded and any(pattern.fullmatch(each) for each in above):
                excluded = not wanted
        return excluded


def _pattern(line: str) -> tuple[bool, re.Pattern[str]] | None:
    """Return whether a line takes something in again, and its pattern; None for no rule, or one that Docker refuses."""
    rule = line.strip()
    if line.startswith("#") or rule in ("", "!"):
        return None
    wanted = rule.startswith("!")
    path = posixpath.normpath(rule[wanted:].strip()).lstrip("/")
    try:
        return wanted, re.compile(_regex(path), re.DOTALL)
    except re.error:
        return None


def _regex(path: str) -> str:
    made, at, listed = "", 0, False
    while at < len(path):
        letter = path[at]
        at += 1
        if letter == "*" and path[at : at + 1] == "*":
            at += 1
            rest = path[at : at + 1] == "/"
            at += rest
            made += ".*" if at >= len(path) else "(?:.*/)?"
        elif letter == "*":
            made += "[^/]*"
        elif letter == "?":
            made += "[^/]"
        elif letter == "\\" and at < len(path):
            made += re.escape(path[at])
            at += 1
        elif letter == "[" and listed:
            made += r"\["
        elif letter in "[]":
            listed = letter == "["
            made += letter
        else:
            made += re.escape(letter) if letter not in "^-" else letter
    return made
