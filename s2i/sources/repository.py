"""What a source says to Git about itself, and Git, or whoever uses it, would be harmed by. Git is not run for it."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from s2i.errors import E_GIT_ENCODING, E_REF, E_SUBMODULE, escape
from s2i.patterns import lazily
from s2i.sources import beneath
from s2i.sources.tree import Notice, Tree

ATTRIBUTES, MODULES = ".gitattributes", ".gitmodules"
_BRANCHES = 50_000  # as many are looked at
_HELPER = lazily(r"[A-Za-z0-9+.-]+::.*", re.DOTALL)
_HEADER = lazily(r'\[\s*submodule\s+"([^"\n]*)"\s*\]')
_READABLE = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


def check_branches(root: Path) -> None:
    """Refuse a repository with a branch that starts with a dash: made by hand, for programs that give it to git.

    Raises E_REF (exit 2).
    """
    for name in _branches(root):
        if name.startswith("-"):
            advice = f"remove it: git update-ref -d refs/heads/{escape(name)}"
            why = "programs take it for an option, and git itself makes none of such a name"
            raise E_REF(ref=name, what="branch", why=why, where=".git", advice=advice)


def check(tree: Tree) -> None:
    """Refuse what .gitmodules and .gitattributes must not say. Raises E_SUBMODULE, E_GIT_ENCODING (exit 3)."""
    for name, keys, line in _submodules(tree):
        if why := _refusal(name, keys):
            raise E_SUBMODULE(name=name, why=why, where=f"{MODULES}:{line}")
    for path in tree.paths():
        if not path.endswith(ATTRIBUTES) or path.rpartition("/")[2] != ATTRIBUTES:
            continue
        if path not in tree.links and b"working-tree-encoding" in (data := tree.read(path)):
            _check_encodings(tree, path, data.decode(errors="replace"))


def missing(tree: Tree) -> Iterator[Notice]:
    """Yield a notice about the submodules of a folder that are not checked out."""
    paths = [keys["path"].strip("/") for _, keys, _ in _submodules(tree) if keys.get("path")]
    if empty := [path for path in paths if next(tree.under(path), None) is None]:
        names = ", ".join(escape(path, 80) for path in empty[:8])
        yield Notice("W_SUBMODULE", f"no files of these submodules are here (git submodule update): {names}", MODULES)


def _branches(root: Path) -> Iterator[str]:
    with contextlib.suppress(OSError), _folder(root, ".git/refs/heads") as folder, os.scandir(folder) as entries:
        yield from (entry.name for entry in itertools.islice(entries, _BRANCHES))
    with contextlib.suppress(OSError), _folder(root, ".git") as folder:
        packed = beneath.head(folder, "packed-refs", 1 << 20)
        yield from (os.fsdecode(line.partition(b" refs/heads/")[2]) for line in packed.split(b"\n"))


@contextlib.contextmanager
def _folder(root: Path, path: str) -> Iterator[int]:
    folder = beneath.descend(root, path)
    try:
        yield folder
    finally:
        os.close(folder)


def _submodules(tree: Tree) -> Iterator[tuple[str, dict[str, str], int]]:
    """Yield the name of each submodule, its keys, and its line."""
    if MODULES not in tree or MODULES in tree.links:
        return
    name, keys, first = "", dict[str, str](), 0
    for number, raw in enumerate(tree.read(MODULES).decode(errors="replace").split("\n"), 1):
        line = raw.strip()
        if line.startswith("["):
            if first:
                yield name, keys, first
            header = _HEADER.fullmatch(line)
            name, keys, first = (header[1] if header else ""), {}, number if header else 0
        elif first:
            key, _, value = line.partition("=")
            keys[key.strip().lower()] = value.strip().strip('"')
    if first:
        yield name, keys, first


def _refusal(name: str, keys: dict[str, str]) -> str:
    """Say why git would refuse a submodule, "" when it would not."""
    url, path = keys.get("url", ""), keys.get("path", "")
    if ".." in re.split(r"[/\\]", name):
        return "its name leads out of the repository"
    if url.startswith("-") or path.startswith("-"):
        return "its url or path would be taken for an option"
    if path.startswith("/") or ".." in path.split("/"):
        return "its path leads out of the repository"
    return f'its url "{escape(url, 60)}" runs a program' if _HELPER.fullmatch(url) else ""


def _check_encodings(tree: Tree, path: str, text: str) -> None:
    """Refuse rules that make Git write Python source in an encoding that Python does not read."""
    from s2i.sources import globs  # costs some 10 ms, and few have such a rule

    above = path.removesuffix(ATTRIBUTES)
    modules = [entry.path for entry in tree.files if entry.path.startswith(above) and entry.path.endswith(".py")]
    for number, line in enumerate(text.split("\n"), 1):
        pattern, *words = line.split() or [""]
        values = [word.partition("=")[2] for word in words if word.startswith("working-tree-encoding=")]
        if not values or values[-1].lower() in _READABLE or pattern.startswith(("#", "!")):
            continue
        matches = globs.compile([pattern])
        if found := next((module for module in modules if matches.match_file(module.removeprefix(above))), ""):
            raise E_GIT_ENCODING(path=found, encoding=values[-1], where=f"{path}:{number}")
