"""The Python code of a source: its modules by name, each parsed. Nothing is ever imported or run.

Which name of which module is an application is decided in ``candidates``.
"""

from __future__ import annotations

import posixpath
import re

import msgspec

from s2i.planning import ignored
from s2i.planning.module import Broken, Module, parse
from s2i.sources import Notice, Tree

MOST_FILES = 3000
MOST_BYTES = 24 << 20
_FOLDER = re.compile(r"[A-Za-z0-9._/-]+")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Code(msgspec.Struct, frozen=True):
    """All modules of a tree by dotted name, the files that do not parse, and what was left out."""

    modules: dict[str, Module]
    broken: tuple[Broken, ...] = ()
    notices: tuple[Notice, ...] = ()


def read(tree: Tree) -> Code:
    """Parse every Python file of ``tree`` that is neither a test nor somebody else's package."""
    modules: dict[str, Module] = {}
    broken: list[Broken] = []
    notices: list[Notice] = []
    roots = _roots(tree)
    total = 0
    paths = [e for e in tree.files if e.path.endswith(".py") and not ignored.is_ignored(e.path)]
    for count, entry in enumerate(sorted(paths, key=lambda e: (e.path.count("/"), e.path))):
        total += entry.size
        if count >= MOST_FILES or total > MOST_BYTES:
            notices.append(Notice("W_PARTIAL", f"read the {count} outermost of {len(paths)} Python files"))
            break
        root, name = _module_name(entry.path, roots)
        if root and name in modules:
            root, name = _module_name(entry.path, ("",))
        if not name:
            continue
        if entry.size > 1 << 20:
            notices.append(Notice("W_BIG_MODULE", "over 1 MiB: not read", entry.path))
            continue
        found = parse(entry.path, tree.read(entry.path), root, name)
        if isinstance(found, Broken):
            broken.append(found)
        else:
            modules.setdefault(name, found)
    return Code(modules, tuple(broken), tuple(notices))


def _roots(tree: Tree) -> tuple[str, ...]:
    """Return the folders that modules are imported from, deepest first: the tree itself, ``src``, that of a manage.py.

    One that is a package is none: its modules are imported by its name.
    """
    beside = {posixpath.dirname(e.path) for e in tree.files if e.path.endswith("/manage.py")}
    found = {"src"} if any(e.path.startswith("src/") for e in tree.files) else set()
    found |= {folder for folder in beside if _FOLDER.fullmatch(folder) and not ignored.is_ignored(f"{folder}/x.py")}
    packages = {folder for folder in found if f"{folder}/__init__.py" in tree}
    return (*sorted(found - packages, key=lambda folder: (-folder.count("/"), folder)), "")


def _module_name(path: str, roots: tuple[str, ...]) -> tuple[str, str]:
    """Return the root and the dotted name of a file; the name is "" when no ``import`` statement could say it."""
    root = next(r for r in roots if not r or path.startswith(r + "/"))
    inner = path[len(root) + 1 :] if root else path
    parts = inner.removesuffix(".py").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return root, ".".join(parts) if all(_IDENTIFIER.fullmatch(p) for p in parts) else ""
