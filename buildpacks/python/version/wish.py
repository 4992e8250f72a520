"""What one place asks for: a Python version or a specifier, read without any library where it is simple."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from s2i.errors import E_PYTHON_VERSION
from s2i.patterns import lazily

_EXACT = lazily(
    r"(?:python-?|cpython[@-])?3\.(\d{1,2})(?:\.\d{1,3}|-dev)?(?:(?:a|b|rc)\d{1,2})?t?(?:-linux-[a-z0-9_-]{1,40})?",
    re.ASCII,
)
_PYTHON2 = lazily(r"(?:python-?|cpython[@-])?2(?:\.\d{1,2}){0,2}", re.ASCII)
_OTHER = lazily(r"(pypy|graalpy|micropython|stackless|jython|ironpython|mini|ana).*", re.IGNORECASE | re.DOTALL)
_SPECIFIER = lazily(r"[0-9A-Za-z.*,<>=!~ ]{1,200}", re.ASCII)
_NUMBERS = r"\d{1,3}(?:\.\d{1,3}){0,2}"
_CLAUSE = lazily(
    rf"\s*(?:(>=|<=|<|>)\s*({_NUMBERS})|(==|!=)\s*({_NUMBERS})(\.\*)?|(~=)\s*(\d{{1,3}}(?:\.\d{{1,3}}){{1,2}}))\s*",
    re.ASCII,
)
_POETRY = lazily(rf"(\^|~|)\s*({_NUMBERS})(\.\*)?", re.ASCII)
_RELEASE = lazily(r"v?(?:\d+!)?(\d+(?:\.\d+)*).*", re.ASCII | re.DOTALL)
_PATCHES = (*range(31), 99)  # the newest patch of any minor that has ended is 3.6's and 3.7's: below 31; 99 is "later"

Release = tuple[int, ...]


class Wish(msgspec.Struct, frozen=True):
    """What one file asks for: "3.12", or a specifier like ">=3.11,<4" (several, of which one suffices, with "||").

    ``hint``: a developer's pin, which gives way to what the project or its dependencies are bound to.
    ``written`` is how the file has it, where ``text`` is a translation of that.
    """

    text: str
    where: str
    hint: bool = False
    written: str = ""

    @property
    def said(self) -> str:
        """What the file says, for people."""
        return self.written or self.text

    @property
    def minor(self) -> int | None:
        """The minor version when exactly one is asked for."""
        found = _EXACT.fullmatch(self.text)
        return int(found[1]) if found else None

    def allows(self, minor: int) -> bool:
        """Say whether Python 3.``minor`` will do. A bound on a patch release is met by the newest patch."""
        if self.minor is not None:
            return self.minor == minor
        if is_python2(self.text):
            return False
        return any(_test(alternative.strip())(minor) for alternative in self.text.split("||"))


def specifier(text: str, where: str) -> Wish:
    """Return the wish of a bound (``requires-python``), or of one version. Raises E_PYTHON_VERSION."""
    text = text.strip()
    if not _EXACT.fullmatch(text) and not _is_specifier(text):
        raise refused(text, where)
    return Wish(text, where)


def pin(text: str, where: str) -> Wish:
    """Return the wish of a developer's pin ("3.12.1"), which is only a hint. Raises E_PYTHON_VERSION."""
    text = _without_x(text.strip())
    if is_python2(text):
        return Wish(text, where, hint=True)
    return msgspec.structs.replace(specifier(text, where), hint=True)


def _without_x(text: str) -> str:
    """Return "3.10" for "3.10.x", as some write that any patch will do."""
    return text[:-2] if text.endswith((".x", ".X", ".*")) and _EXACT.fullmatch(text[:-2]) else text


def caret(text: str, where: str) -> Wish:
    """Return the wish of Poetry's own notation: "^3.10", "~3.11", "3.*", ">=3.8 || ^3.11". Raises E_PYTHON_VERSION."""
    alternatives = [_from_poetry(part.strip()) for part in re.split(r"\|\|?", text)]
    if not all(_is_specifier(part) for part in alternatives):
        raise refused(text, where)
    return Wish(" || ".join(alternatives), where, written=text.strip())


def is_python2(text: str) -> bool:
    """Say whether a version is one of Python 2's."""
    return bool(_PYTHON2.fullmatch(text))


def refused(text: str, where: str) -> Exception:
    """Return the refusal of what is no version, with what to write instead."""
    path = where.partition(":")[0]
    shown = text.strip()[:80].encode("unicode_escape").decode()
    advice = f"write one version into {path}: " + ("python-3.12" if path == "runtime.txt" else "3.12")
    why = "that is no version"
    if is_python2(text.strip()):
        why = "that is Python 2, which ended in 2020"
        advice = "port the code to Python 3 (`2to3` and `python-modernize` do most of it), then " + advice
    elif _OTHER.fullmatch(text.strip()):
        why = "only CPython is offered"
    return E_PYTHON_VERSION(
        wanted=f'"{shown}": {why}',
        offered="versions like 3.12",
        where=where if ":" in where else f"{where}:1",
        advice=advice,
    )


def release(text: str) -> Release:
    """Return the numbers of a version, for comparing: "1.10.0" gives (1, 10), "21.12.0.post1" (21, 12)."""
    found = _RELEASE.fullmatch(text)  # the rest only says which build or candidate
    numbers = [int(part[:9]) for part in found[1].split(".")[:8]] if found else [0]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _from_poetry(text: str) -> str:
    """Translate one alternative; clauses stand side by side with commas or spaces."""
    if text == "*":
        return ">=3"
    return ",".join(_clause(part) for part in re.split(r"\s*,\s*|(?<=[0-9*])\s+", text))


def _clause(text: str) -> str:
    found = _POETRY.fullmatch(text)
    if not found:
        return text
    sign, version, star = found.groups()
    parts = [int(part) for part in version.split(".")]
    if sign == "^":
        return f">={version},<{parts[0] + 1}"
    if sign == "~" and len(parts) > 1:
        return f">={version},<{parts[0]}.{parts[1] + 1}"
    if sign == "~" or star or len(parts) < 3:  # Poetry reads "3.11" as 3.11.0 alone, and nobody means that
        return f"=={version}.*"
    return f"=={parts[0]}.{parts[1]}.*"


def _is_specifier(text: str) -> bool:
    if text == "3" or all(map(_CLAUSE.fullmatch, text.split(","))):
        return True
    if not _SPECIFIER.fullmatch(text):
        return False
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return False
    return True


def _test(text: str) -> Callable[[int], bool]:
    if text == "3":
        return lambda minor: True
    clauses = [_CLAUSE.fullmatch(part) for part in text.split(",")]
    if all(clauses):
        holds = [_holds(*(g for g in found.groups() if g)) for found in clauses if found]
        return lambda minor: any(all(h((3, minor, patch)) for h in holds) for patch in _PATCHES)
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(text)
    return lambda minor: any(allowed.contains(f"3.{minor}.{patch}") for patch in _PATCHES)


def _holds(sign: str, version: str, star: str = "") -> Callable[[tuple[int, int, int]], bool]:
    """Return the test of one clause on a full version, as PEP 440 has it."""
    parts = [int(part) for part in version.split(".")]
    bound = (*parts, 0, 0)[:3]
    start = tuple(parts)
    match sign:
        case "==" if star:
            return lambda v: v[: len(start)] == start
        case "!=" if star:
            return lambda v: v[: len(start)] != start
        case "~=":
            return lambda v: v >= bound and v[: len(start) - 1] == start[:-1]
        case "==":
            return lambda v: v == bound
        case "!=":
            return lambda v: v != bound
        case ">=":
            return lambda v: v >= bound
        case "<=":
            return lambda v: v <= bound
        case "<":
            return lambda v: v < bound
    return lambda v: v > bound


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that say something, with their numbers: no blanks, no comments."""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            yield number, line
