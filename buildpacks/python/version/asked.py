"""The files in which a developer says which Python: s2i.toml, and those of pyenv, asdf, mise and Heroku."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from buildpacks.python.version.wish import Wish, is_python2, numbered, pin, refused, specifier
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.settings import Given
from s2i.sources import Tree

MISE = ("mise.toml", ".mise.toml", ".config/mise.toml", "mise/config.toml", ".mise/config.toml")
LIMIT = 64 << 10
_RUNTIME = lazily(r"python-\d{1,2}\.\d{1,2}(?:\.(?:\d{1,3}|x))?", re.ASCII)
# What asdf and mise also take, and what says nothing of a version.
_ANY = lazily(r"latest|lts|system|path:.*|ref:.*|sub-.*", re.ASCII)


def wishes(tree: Tree, given: Given) -> tuple[Wish, ...]:
    """Return what s2i.toml says, or what the developer's files say, the most telling first.

    Raises E_PYTHON_VERSION (exit 4) for what is no version, E_TOML and what Tree.text raises (exit 3).
    """
    if given.settings.python:
        return (specifier(given.settings.python, given.where(tree, "python")),)
    found: list[Wish] = []
    if ".python-version" in tree:
        found += _pyenv(tree)
    if ".tool-versions" in tree:
        found += _asdf(tree)
    for path in MISE:
        if path in tree:
            found += _mise(tree, path)
            break
    if "runtime.txt" in tree:
        found += _heroku(tree)
    return tuple(found)


def _pyenv(tree: Tree) -> Iterator[Wish]:
    """Read .python-version: a version, or a specifier, which binds. pyenv's further lines are second choices."""
    for index, (number, line) in enumerate(numbered(tree.text(".python-version", LIMIT))):
        where = f".python-version:{number}"
        if _ANY.fullmatch(line):
            return
        asked = pin(line, where)
        if not index:
            yield specifier(line, where) if asked.minor is None and not is_python2(line) else asked


def _heroku(tree: Tree) -> Iterator[Wish]:
    """Read runtime.txt: one line, python-3.12 or python-3.12.1."""
    for index, (number, line) in enumerate(numbered(tree.text("runtime.txt", LIMIT))):
        if index or not _RUNTIME.fullmatch(line):
            raise refused(line, f"runtime.txt:{number}")
        yield pin(line, f"runtime.txt:{number}")


def _asdf(tree: Tree) -> Iterator[Wish]:
    """Read .tool-versions: `python 3.12.1 3.11.0`, of which the first counts."""
    for number, line in numbered(tree.text(".tool-versions", LIMIT)):
        tool, *versions = line.partition("#")[0].split()
        if tool in ("python", "core:python") and versions:
            yield from _tool(versions[0], f".tool-versions:{number}")


def _mise(tree: Tree, path: str) -> Iterator[Wish]:
    """Read mise.toml: [tools] python = "3.12", or a list of such, or tables with `version`."""
    tools = toml.read(tree, path).get("tools")
    value: Any = None
    if isinstance(tools, dict):
        value = tools.get("python", tools.get("core:python"))
    first = value[0] if isinstance(value, list) and value else value
    text = first.get("version") if isinstance(first, dict) else first
    if text is None or text == []:
        return
    where = toml.line_of(tree, path, "python")
    if not isinstance(text, str):
        raise refused(str(text), where)
    yield from _tool(text, where)


def _tool(text: str, where: str) -> Iterator[Wish]:
    if not _ANY.fullmatch(text):
        yield pin(text.removeprefix("prefix:"), where)
