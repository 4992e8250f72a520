"""Parse Python that may be newer than the Python that s2i itself runs on.

What this Python does not know yet is taken out, statement by statement, so that the rest can still be read.
"""

from __future__ import annotations

import ast

import msgspec

from s2i.patterns import lazily

_TRIES = 12
# What only a newer Python parses, and which: (PEP 701, 695, 750, 758).
_NEWER = (
    (lazily(r"\s*type\s+[A-Za-z_]\w*(\[.*)?\s*=.*"), "3.12"),
    (lazily(r"\s*(async\s+)?(def|class)\s+[A-Za-z_]\w*\s*\[.*"), "3.12"),
    (lazily(r"""(.*[^\w])?[tT][rR]?["'].*"""), "3.14"),
    (lazily(r"\s*except\*?\s+[\w.]+\s*,\s*[\w.]+[^:]*:.*"), "3.14"),
)


class Parsed(msgspec.Struct, frozen=True):
    """The statements, and the oldest Python that parses all of them ("" for any), with the line that says so."""

    body: list[ast.stmt]
    python: str = ""
    line: int = 0


def parse(source: bytes) -> Parsed:
    """Return the statements of a module. Raises SyntaxError, ValueError, RecursionError, MemoryError."""
    try:
        return Parsed(ast.parse(source).body)
    except SyntaxError as error:
        first = error
    lines = source.decode(errors="replace").split("\n")
    unknown, python = first, ""
    for _ in range(_TRIES):
        found = newer(unknown)
        if not found:
            break
        python = max(python, found, key=_minor)
        _blank(lines, unknown.lineno or 1)
        try:
            return Parsed(ast.parse("\n".join(lines)).body, python, first.lineno or 1)
        except SyntaxError as another:
            unknown = another
    raise first


def newer(error: SyntaxError) -> str:
    """Return the Python that knows what this one does not; "" for what no Python parses, as far as can be told."""
    message = error.msg or ""
    if message.startswith("f-string: ") and "empty expression" not in message:
        return "3.12"
    text = (error.text or "").rstrip("\n")
    return next((python for pattern, python in _NEWER if pattern.fullmatch(text)), "")


def _blank(lines: list[str], number: int) -> None:
    """Put `pass` in the place of the statement at the outermost level that holds line ``number``."""
    first = last = min(max(number, 1), len(lines)) - 1
    while first > 0 and (not lines[first].strip() or lines[first][0] in " \t)]}#"):
        first -= 1
    while first > 0 and lines[first - 1].startswith("@"):
        first -= 1
    while last + 1 < len(lines) and (not lines[last + 1].strip() or lines[last + 1][0] in " \t)]}#"):
        last += 1
    lines[first : last + 1] = ["pass", *[""] * (last - first)]


def _minor(python: str) -> int:
    return int(python.partition(".")[2] or 0)
