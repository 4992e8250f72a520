"""TOML of strangers, read defensively; TOML of ours, read into types."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from s2i.errors import E_TOML
from s2i.patterns import lazily
from s2i.sources import Tree

DEEPEST = 60
_LARGEST = 64 << 20  # of what was read before, with a limit of its own
# A key of more parts than DEEPEST. tomllib takes a time that grows with their square: seconds for 100 KB.
_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+"""
_UNQUOTED = lazily(r"\s*([A-Za-z0-9_-]+)\s*=\s*([A-Za-z_./][\w.:/()-]*)\s*", re.ASCII)
_LONG_KEY = lazily(rf"(?:^[ \t]*+\[*+|[{{,])[ \t]*+(?:{_PART}\.[ \t]*+){{{DEEPEST}}}")
_T = TypeVar("_T")


def read(tree: Tree, path: str, limit: int = 1 << 20) -> dict[str, Any]:
    """Return the TOML file ``path`` of a source.

    Raises E_FILE_TOO_BIG, E_PATH_ESCAPE, E_ENCODING, E_TOML (exit 3).
    """
    text = tree.text(path, limit)
    _check_keys(text, path)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        number = _line(str(error), text)
        raise E_TOML(why=str(error), where=f"{path}:{number}", advice=_quoted(text, int(number))) from None
    except RecursionError:
        raise E_TOML(why="nested too deeply", where=path) from None
    except ValueError as error:  # an integer of thousands of digits
        raise E_TOML(why=str(error), where=path) from None
    _check_depth(table, path)
    return table


def convert(table: object, type_: type[_T], where: str) -> _T:
    """Return a part of a stranger's TOML as ``type_``. Raises E_TOML, naming the key."""
    try:
        return msgspec.convert(table, type_)
    except msgspec.ValidationError as error:
        raise E_TOML(why=str(error), where=where) from None


def load(path: Path, type_: type[_T]) -> _T:
    """Return a TOML file of our own, unknown keys refused. A mistake in it is a bug: msgspec.ValidationError."""
    return msgspec.convert(tomllib.loads(path.read_text()), type_)


def select(path: Path, type_: type[_T], words: Iterable[str], *, head: bool = True) -> _T:
    """Return a TOML file of our own with only those rows ([[...]]) whose text has one of ``words``.

    Parsing costs a millisecond for some sixty lines, and of a table of knowledge a source needs few. ``head``: what
    stands before the first row counts too.
    """
    first, *rows = re.split(r"(?m)^(?=\[\[)", path.read_text())
    wanted = tuple(words)
    kept = [row for row in rows if any(word in row for word in wanted)]
    return msgspec.convert(tomllib.loads("".join([first if head else "", *kept])), type_)


def mentions(path: Path, names: Iterable[str]) -> bool:
    """Say whether a file of our own has a string that begins with one of ``names``: most need not be parsed at all."""
    text = path.read_text()
    return any(f'"{name}' in text for name in names)


def line_of(tree: Tree, path: str, key: str) -> str:
    """Return ``path:line`` of the first line that starts with ``key`` (for people: a near miss does no harm)."""
    for number, line in enumerate(tree.read(path, _LARGEST).decode(errors="replace").splitlines(), 1):
        if line.lstrip().startswith(key):
            return f"{path}:{number}"
    return path


def _line(message: str, text: str) -> str:
    found = re.search(r"at line (\d+)", message)
    return found[1] if found else str(text.rstrip("\n").count("\n") + 1)  # "at end of document"


def _quoted(text: str, number: int) -> str:
    """Return a line as it has to be where only the quotes around its value are missing, else ""."""
    lines = text.split("\n")
    found = _UNQUOTED.fullmatch(lines[number - 1]) if number <= len(lines) else None
    return f'put the text in quotes: {found[1]} = "{found[2]}"' if found else ""


def _check_keys(text: str, path: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") >= DEEPEST and _LONG_KEY.search(line):
            raise E_TOML(why="a key of too many parts", where=f"{path}:{number}")


def _check_depth(table: dict[str, Any], path: str) -> None:
    """Refuse what a recursive walk could not survive later. Iterative, since dotted keys nest without brackets."""
    level: list[Any] = [table]
    for _ in range(DEEPEST):
        inner: list[Any] = []
        for value in level:
            inner.extend(value.values() if isinstance(value, dict) else value)
        level = [v for v in inner if isinstance(v, dict | list)]
        if not level:
            return
    raise E_TOML(why="nested too deeply", where=path)
