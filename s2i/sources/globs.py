"""Rules of .gitignore as patterns whose time is bounded, whatever a stranger wrote.

pathspec makes `[^/]*` of each star and `.+` of each `**`, and `re` tries every way to share a path among them:
`*a*a*a…b` against a name of 60 letters never ends, and holds the lock of the interpreter. For a glob the shortest way
to what follows a star is as good as any: all but the last star of a segment, and the last `**`, are atomic groups.
"""

from __future__ import annotations

import re
from typing import AnyStr

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

# What pathspec writes. A slash never comes from a bracket or a literal of a pattern, so none of these can either.
_LEADING, _INNER, _STAR = "^(?:.+/)?", "(?:/.+)?", r"\[\^/\]\*"
_STARS = rf"(?:{_STAR}){{2,}}"
_BETWEEN_STARS = rf"{_STAR}((?:\[\^/\](?!\*)|[^/])*?)(?={_STAR})"


class Bounded(GitIgnoreSpecPattern):
    """A pattern of .gitignore that takes time in proportion to the path."""

    __slots__ = ()

    @classmethod
    def pattern_to_regex(cls, pattern: AnyStr) -> tuple[AnyStr | None, bool | None]:
        """Return the regular expression and whether it leaves out (None: it says nothing)."""
        regex, include = super().pattern_to_regex(pattern)
        if isinstance(regex, str):
            return bound(regex), include  # type: ignore[return-value]  # mypy reads it for bytes too
        return regex, include


def bound(regex: str) -> str:
    """Return a ``regex`` of pathspec in a form that matches the same and never tries a way twice."""
    regex = re.sub(_STARS, "[^/]*", regex)
    regex = re.sub(_BETWEEN_STARS, r"(?>[^/]*?\1)", regex)
    first, *others = regex.split(_INNER)
    if others:
        *inner, last = others
        if first.startswith(_LEADING):
            first = f"^(?>(?:[^/]+/)*?{first.removeprefix(_LEADING)}(?=/))"
        return first + "".join(f"(?>(?:/[^/]+)*?{part}(?=/))" for part in inner) + f"(?:/[^/]+)*{last}"
    return f"^(?:[^/]+/)*{first.removeprefix(_LEADING)}" if first.startswith(_LEADING) else first


def compile(lines: list[str]) -> GitIgnoreSpec:  # noqa: A001
    """Return the rules in ``lines``. A line that is no pattern is left out without a word, as Git does."""
    try:
        return _compile(lines)
    except ValueError:
        return _compile([line for line in lines if _is_pattern(line)])


def _compile(lines: list[str]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(lines, Bounded, backend="simple")  # the others know no atomic groups


def _is_pattern(line: str) -> bool:
    try:
        Bounded(line)
    except ValueError:
        return False
    return True
