"""Choose the Python: what the source asks for, met with what is offered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from s2i.errors import E_PYTHON_VERSION
from s2i.planning.evidence import Evidence, decide
from s2i.planning.plan import Base, Decision, Rejected
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

_EXACT = re.compile(r"(?:python-|cpython-|cpython@)?3\.(\d{1,2})(?:\.\d{1,3})?", re.ASCII)
_RUNTIME = re.compile(r"python-3\.\d{1,2}(?:\.\d{1,3})?", re.ASCII)
_SPECIFIER = re.compile(r"[0-9A-Za-z.*,<>=!~ ]{1,200}", re.ASCII)


class Wish(msgspec.Struct, frozen=True):
    """What one file asks for: "3.12", or a specifier like ">=3.11,<4"; ``hint``: gives way to the others."""

    text: str
    where: str
    hint: bool = False


class Version(msgspec.Struct, frozen=True):
    """The base that fits, the decision, and what was overruled."""

    base: Base
    decision: Decision
    notices: tuple[Notice, ...] = ()


def wishes(tree: Tree, given: Given) -> tuple[Wish, ...]:
    """Return what s2i.toml, .python-version and runtime.txt say. Raises E_PYTHON_VERSION for what is no version."""
    if given.settings.python:
        return (_checked(given.settings.python, given.where(tree, "python")),)
    found = []
    if ".python-version" in tree:
        lines = _lines(tree, ".python-version")
        found += [_checked(line, f".python-version:{number}") for number, line in lines][:1]
        if any(not _EXACT.fullmatch(line) for _, line in lines[1:]):
            raise _refused(lines[1][1], lines[1][0], ".python-version")
    if "runtime.txt" in tree:
        lines = _lines(tree, "runtime.txt")
        for number, line in lines:
            if number > 1 or not _RUNTIME.fullmatch(line):
                raise _refused(line, number, "runtime.txt")
        found += [Wish(line, "runtime.txt:1", hint=True) for _, line in lines]
    return tuple(found)


def choose(asked: Sequence[Wish], offered: tuple[Base, ...]) -> Version:
    """Return the newest offered base that every wish allows, one that need not be made first when there is one.

    Raises E_PYTHON_VERSION (exit 4).
    """
    newest = sorted(offered, key=lambda b: _minor(b.python), reverse=True)
    firm = [w for w in asked if not w.hint]
    fits = [b for b in newest if all(_allows(w)(b.python) for w in firm)]
    if not fits:
        wanted = " and ".join(f'"{w.text}" ({w.where})' for w in firm)
        listed = ", ".join(b.python for b in newest) or "none"
        raise E_PYTHON_VERSION(wanted=wanted or "this source", offered=listed, where=firm[0].where if firm else "")
    hints = [w for w in asked if w.hint]
    hinted = [b for b in fits if all(_allows(w)(b.python) for w in hints)]
    notices = tuple(
        Notice("W_PYTHON", f'"{w.text}" is overruled: {_ruled(firm, newest)}', w.where) for w in hints if not hinted
    )
    base = next((b for b in hinted or fits if b.obtain != "make"), (hinted or fits)[0])
    followed = [w for w in asked if not (w.hint and notices)]
    evidence = [Evidence(base.python, w.where) for w in followed] or [
        Evidence(base.python, "the newest offered", "likely")
    ]
    decision = decide("python", evidence[:1])
    lost = tuple(Rejected(b.python, _why_not(b, base, followed)) for b in newest if b is not base)[:4]
    return Version(base, msgspec.structs.replace(decision, rejected=lost), notices)


def _why_not(base: Base, taken: Base, asked: Sequence[Wish]) -> str:
    against = next((w for w in asked if not _allows(w)(base.python)), None)
    if against:
        return f'{against.where} asks for "{against.text}"'
    newer = _minor(base.python) > _minor(taken.python)
    return "its base image would have to be made first" if newer else "the newest that fits is taken"


def _ruled(firm: Sequence[Wish], offered: Sequence[Base]) -> str:
    if firm:
        return f'{firm[0].where} asks for "{firm[0].text}"'
    return f"offered are {', '.join(b.python for b in offered)}"


def _checked(text: str, where: str) -> Wish:
    """Return a wish for a version or a specifier. Raises E_PYTHON_VERSION for anything else."""
    text = text.strip()
    if _EXACT.fullmatch(text) or text == "3":
        return Wish(text, where)
    if _SPECIFIER.fullmatch(text):
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            pass
        else:
            return Wish(text, where)
    path, _, line = where.partition(":")
    raise _refused(text, int(line or 1), path)


def specifier(text: str, where: str) -> Wish:
    """Return the wish of a ``requires-python``. Raises E_PYTHON_VERSION."""
    return _checked(text, where)


def _allows(wish: Wish) -> Callable[[str], bool]:
    """Return the test of a minor version ("3.12"). A bound on a patch release is met by the newest patch."""
    if match := _EXACT.fullmatch(wish.text):
        return lambda python: python == f"3.{match[1]}"
    if wish.text == "3":
        return lambda python: True
    from packaging.specifiers import SpecifierSet

    allowed = SpecifierSet(wish.text)
    return lambda python: any(allowed.contains(f"{python}.{patch}") for patch in (0, 5, 15, 99))


def _refused(text: str, number: int, path: str) -> Exception:
    advice = f"write one version into {path}: " + ("python-3.12" if path == "runtime.txt" else "3.12")
    return E_PYTHON_VERSION(
        wanted=f'"{text}": that is no version', offered="versions like 3.12", where=f"{path}:{number}", advice=advice
    )


def _lines(tree: Tree, path: str) -> list[tuple[int, str]]:
    text = tree.text(path, 4096)
    lines = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    return [(number, line) for number, line in lines if line and not line.startswith("#")]


def _minor(python: str) -> tuple[int, ...]:
    return tuple(int(part) for part in python.split("."))
