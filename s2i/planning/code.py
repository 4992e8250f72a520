"""The Python code of a source: its modules by name, each parsed. Nothing is ever imported or run.

Which name of which module is an application is decided in ``candidates``.
"""

from __future__ import annotations

import re

import msgspec

from s2i.planning import ignored
from s2i.planning.module import Broken, Module, parse
from s2i.sources import Notice, Tree

MOST_FILES = 3000
MOST_BYTES = 24 << 20
_PART = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")  # importlib takes a dash, which no `import` statement could say
_IMPORTED = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)


class Code(msgspec.Struct, frozen=True):
    """All modules of a tree by dotted name, the files that do not parse, and what was left out."""

    modules: dict[str, Module]
    broken: tuple[Broken, ...] = ()
    notices: tuple[Notice, ...] = ()


def read(tree: Tree, folders: tuple[str, ...] = ()) -> Code:
    """Parse every Python file of ``tree`` that is neither a test nor somebody else's package.

    ``folders``: where the source itself says that modules are imported from.
    """
    modules: dict[str, Module] = {}
    broken: list[Broken] = []
    sources, notices = _sources(tree)
    roots = _roots(tree, sources, folders)
    for path, source in sources.items():
        root, name = _module_name(path, roots)
        if root and name in modules:  # another root has a module of that name: the full one tells them apart
            root, name = _module_name(path, ("",))
        if not name:
            continue
        found = parse(path, source, root, name)
        if isinstance(found, Broken):
            broken.append(found)
        else:
            modules.setdefault(name, found)
    return Code(modules, tuple(broken), notices)


def _sources(tree: Tree) -> tuple[dict[str, bytes], tuple[Notice, ...]]:
    """Return the bytes of each file that counts, the outermost first, and what was left out."""
    found: dict[str, bytes] = {}
    notices: list[Notice] = []
    total = 0
    paths = [e for e in tree.files if e.path.endswith(".py") and not ignored.is_ignored(e.path)]
    for count, entry in enumerate(sorted(paths, key=lambda e: (e.path.count("/"), e.path))):
        total += entry.size
        if count >= MOST_FILES or total > MOST_BYTES:
            notices.append(Notice("W_PARTIAL", f"read the {count} outermost of {len(paths)} Python files"))
            break
        if entry.size > 1 << 20:
            notices.append(Notice("W_BIG_MODULE", "over 1 MiB: not read", entry.path))
            continue
        found[entry.path] = tree.read(entry.path)
    return found, tuple(notices)


def _roots(tree: Tree, sources: dict[str, bytes], folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders that modules are imported from, the deepest first: the tree itself is one of them.

    A folder that is no package is one when it is called src, holds manage.py, or when its modules import each other as
    if it were the root.
    """
    names: dict[str, set[str]] = {}
    for path in sources:
        folder, _, last = path.rpartition("/")
        names.setdefault(folder, set()).add(last.removesuffix(".py"))
        while folder:
            folder, _, last = folder.rpartition("/")
            names.setdefault(folder, set()).add(last)
    found = {folder for folder in folders if folder in names}
    for folder, inside in names.items():
        if not folder or folder.count("/") > 2 or (f"{folder}/__init__.py" in tree and "manage" not in inside):
            continue
        own = {name.encode() for name in inside - names.get("", set())}
        if folder.rpartition("/")[2] == "src" or "manage" in inside or _is_named_from(folder, own, sources):
            found.add(folder)
    return (*sorted(found, key=lambda f: (-f.count("/"), f)), "")


def _is_named_from(folder: str, own: set[bytes], sources: dict[str, bytes]) -> bool:
    """Say whether modules in or below a folder import what only stands in it, as if it were the root."""
    below = (source for path, source in sources.items() if path.startswith(f"{folder}/")) if own else ()
    return any(not own.isdisjoint(_IMPORTED.findall(source)) for source in below)


def _module_name(path: str, roots: tuple[str, ...]) -> tuple[str, str]:
    """Return the root and the dotted name of a file; the name is "" when it cannot be imported."""
    root = next(r for r in roots if not r or path.startswith(r + "/"))
    inner = path[len(root) + 1 :] if root else path
    parts = inner.removesuffix(".py").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return root, ".".join(parts) if all(_PART.fullmatch(p) for p in parts) else ""
