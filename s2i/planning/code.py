"""The Python code of a source: its modules by name, each parsed. Nothing is ever imported or run.

Which name of which module is an application is decided in ``candidates``.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections.abc import Iterator

import msgspec

from s2i.planning import ignored, sieve
from s2i.planning.module import Broken, Module, parse
from s2i.sources import Entry, Notice, Tree

# In signs (see sieve): a source with no more is parsed whole, of a larger one so much of what may matter; what a module
# may have. A module of 1,000 lines has some 6,000.
SIGNS, SIGNS_EACH = 300_000, 150_000
MOST_FILES, MOST_BYTES, LARGEST = 10_000, 64 << 20, 1 << 20
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Code(msgspec.Struct, frozen=True):
    """All modules of a tree by dotted name, the files that do not parse, and what was left out."""

    modules: dict[str, Module]
    broken: tuple[Broken, ...] = ()
    notices: tuple[Notice, ...] = ()


def read(tree: Tree, marks: frozenset[bytes] = frozenset()) -> Code:
    """Parse the Python files of ``tree`` that are neither tests nor somebody else's package.

    Of a large source those that ``sieve`` lets through; ``marks`` are words that make an application.
    """
    entries = [e for e in tree.files if e.path.endswith(".py") and not ignored.is_ignored(e.path)]
    entries.sort(key=lambda e: (e.path.count("/"), e.path))
    notices: list[Notice] = []
    modules: dict[str, Module] = {}
    broken: list[Broken] = []
    parts = list(_parts(tree, entries, broken))
    is_large, signs = sum(part.signs for part in parts) > SIGNS, 0
    for part in sieve.ordered(parts, marks) if is_large else parts:
        signs += part.signs
        if signs > SIGNS:
            text = f"of {len(entries):,} Python files only the outermost that may matter were read"
            notices.append(Notice("W_PARTIAL", text, part.path))
            break
        with _uncollected():
            found = parse(part.path, part.data, part.root, part.name)
        if isinstance(found, Broken):
            broken.append(found)
        else:
            modules.setdefault(part.name, found)
    in_order = sorted(modules.values(), key=lambda m: (m.path.count("/"), m.path)) if is_large else modules.values()
    return Code({m.name: m for m in in_order}, tuple(broken), tuple(notices))


def _parts(tree: Tree, entries: list[Entry], broken: list[Broken]) -> Iterator[sieve.Part]:
    """Read the modules that an ``import`` statement could say, as far as the limits go."""
    roots, total = _roots(tree), 0
    for entry in entries[:MOST_FILES]:
        root, name = _module_name(entry.path, roots)
        total += entry.size
        if not name or total > MOST_BYTES:
            continue
        if entry.size > LARGEST:
            broken.append(Broken(entry.path, 1, f"it has {entry.size:,} bytes, at most {LARGEST:,} are read"))
            continue
        part = sieve.Part(entry.path, name, root, tree.read(entry.path))
        if part.signs > SIGNS_EACH:
            broken.append(Broken(entry.path, 1, "it has more in it than a program that somebody wrote"))
            continue
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


def _roots(tree: Tree) -> tuple[str, ...]:
    """Return the folders that modules are imported from: the tree itself, and ``src`` when it is no package."""
    is_src = "src/__init__.py" not in tree and any(e.path.startswith("src/") for e in tree.files)
    return ("src", "") if is_src else ("",)


def _module_name(path: str, roots: tuple[str, ...]) -> tuple[str, str]:
    """Return the root and the dotted name of a file; the name is "" when no ``import`` statement could say it."""
    root = next(r for r in roots if not r or path.startswith(r + "/"))
    inner = path[len(root) + 1 :] if root else path
    parts = inner.removesuffix(".py").split("/")
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return root, ".".join(parts) if all(_IDENTIFIER.fullmatch(p) for p in parts) else ""
