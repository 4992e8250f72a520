"""The Python code of a source: its modules by name, each parsed. Nothing is ever imported or run.

Which name of which module is an application is decided in ``candidates``.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Callable, Iterator

import msgspec

from s2i.patterns import lazily
from s2i.planning import ignored, sieve
from s2i.planning.module import Broken, Module, parse
from s2i.sources import Notice, Tree

# In signs (see sieve): a source with no more is parsed whole, of a larger one so much of what may matter; what a module
# may have. A module of 1,000 lines has some 6,000.
SIGNS, SIGNS_EACH = 300_000, 150_000
MOST_FILES, MOST_BYTES, LARGEST = 10_000, 64 << 20, 1 << 20
_DEEPEST_ROOT = 2  # slashes in the path of a folder that modules are imported from
_FOLDER = lazily(r"[A-Za-z0-9._/-]+", re.ASCII)
_PART = lazily(r"[A-Za-z_][A-Za-z0-9_-]*")  # importlib takes a dash, which no `import` statement could say
_IMPORTED = lazily(rb"^[ \t]*(?:from|import)[ \t]+([A-Za-z_][A-Za-z0-9_]*)", re.MULTILINE)


class Code(msgspec.Struct, frozen=True):
    """All modules of a tree by dotted name, the files that do not parse, and what was left out."""

    modules: dict[str, Module]
    broken: tuple[Broken, ...] = ()
    notices: tuple[Notice, ...] = ()


def imported(code: Code) -> frozenset[str]:
    """Return how the dotted names of what the code imports begin in a table: a quote, the name, a dot."""
    return frozenset(f'"{name}.' for module in code.modules.values() for name in module.imports)


def read(tree: Tree, folders: tuple[str, ...] = (), marks: Callable[[], frozenset[bytes]] = frozenset) -> Code:
    """Parse the Python files of ``tree`` that are neither tests nor somebody else's package.

    ``folders``: where the source itself says that modules are imported from. Of a large source those are parsed that
    ``sieve`` lets through; ``marks`` gives the words that make an application, or serve.
    """
    modules: dict[str, Module] = {}
    broken: list[Broken] = []
    notices: tuple[Notice, ...] = ()
    sources = _sources(tree, broken)
    parts = list(_parts(sources, _roots(tree, sources, folders), broken))
    is_large, signs = sum(part.signs for part in parts) > SIGNS, 0
    for part in sieve.ordered(parts, marks()) if is_large else parts:
        signs += part.signs
        if signs > SIGNS:
            text = f"of {len(parts):,} Python files only the outermost that may matter were read"
            notices = (Notice("W_PARTIAL", text, part.path),)
            break
        with _uncollected():
            found = parse(part.path, part.data, part.root, part.name)
        if isinstance(found, Broken):
            broken.append(found)
        else:
            modules.setdefault(part.name, found)
    in_order = sorted(modules.values(), key=lambda m: (m.path.count("/"), m.path)) if is_large else modules.values()
    return Code({m.name: m for m in in_order}, tuple(broken), notices)


def _sources(tree: Tree, broken: list[Broken]) -> dict[str, bytes]:
    """Return the bytes of each file that counts, the outermost first, as far as the limits go."""
    found: dict[str, bytes] = {}
    total = 0
    entries = [e for e in tree.files if e.path.endswith(".py") and not ignored.is_ignored(e.path)]
    for entry in sorted(entries, key=lambda e: (e.path.count("/"), e.path))[:MOST_FILES]:
        total += entry.size
        if entry.size > LARGEST:
            broken.append(Broken(entry.path, 1, f"it has {entry.size:,} bytes, at most {LARGEST:,} are read"))
        elif total <= MOST_BYTES:
            found[entry.path] = tree.read(entry.path)
    return found


def _parts(sources: dict[str, bytes], roots: tuple[str, ...], broken: list[Broken]) -> Iterator[sieve.Part]:
    """Yield the modules that can be imported, each by its name."""
    names: set[str] = set()
    for path, data in sources.items():
        root, name = _module_name(path, roots)
        if root and name in names:  # another root has a module of that name: the full one tells them apart
            root, name = _module_name(path, ("",))
        if not name:
            continue
        part = sieve.Part(path, name, root, data)
        if part.signs > SIGNS_EACH:
            broken.append(Broken(path, 1, "it has more in it than a program that somebody wrote"))
            continue
        names.add(name)
        yield part


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the garbage collector for the block: it would walk a growing syntax tree, which has no circles, again and
    again. Half of the time that a large file takes goes into that.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _roots(tree: Tree, sources: dict[str, bytes], folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders that modules are imported from, the deepest first: the tree itself is one of them.

    A folder that is no package is one when it is called src, holds manage.py, or when its modules import each other as
    if it were the root.
    """
    names: dict[str, set[str]] = {}
    below: dict[str, list[str]] = {}
    for path in sources:
        folder, _, last = path.rpartition("/")
        names.setdefault(folder, set()).add(last.removesuffix(".py"))
        while folder:
            if folder.count("/") <= _DEEPEST_ROOT:
                below.setdefault(folder, []).append(path)
            folder, _, last = folder.rpartition("/")
            names.setdefault(folder, set()).add(last)
    outer = names.get("", set())
    found = {folder for folder in folders if folder in names and _FOLDER.fullmatch(folder)}
    imported: dict[str, frozenset[bytes]] = {}
    for folder, paths in below.items():
        if not _FOLDER.fullmatch(folder):  # it could not be named in a Dockerfile
            continue
        inside = names[folder]
        if f"{folder}/__init__.py" in tree and "manage" not in inside:
            continue
        own = {name.encode() for name in inside - outer}
        if folder.rpartition("/")[2] == "src" or "manage" in inside or _any_imports(paths, own, sources, imported):
            found.add(folder)
    return (*sorted(found, key=lambda f: (-f.count("/"), f)), "")


def _any_imports(
    paths: list[str], own: set[bytes], sources: dict[str, bytes], imported: dict[str, frozenset[bytes]]
) -> bool:
    """Say whether one of the modules imports, as if from the root, what only stands in their folder."""
    for path in paths if own else ():
        if path not in imported:
            imported[path] = frozenset(_IMPORTED.findall(sources[path]))
        if not own.isdisjoint(imported[path]):
            return True
    return False


def _module_name(path: str, roots: tuple[str, ...]) -> tuple[str, str]:
    """Return the root and the dotted name of a file; the name is "" when it cannot be imported."""
    root = next(r for r in roots if not r or path.startswith(r + "/"))
    inner = path[len(root) + 1 :] if root else path
    parts = inner.removesuffix(".py").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return root, ".".join(parts) if all(_PART.fullmatch(p) for p in parts) else ""
