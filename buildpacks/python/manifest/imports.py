"""What the code imports and no file asks for: all of it without a manifest, else only what is often forgotten."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

import msgspec

from buildpacks.python import requirements
from buildpacks.python.manifest.facts import Manifest
from buildpacks.python.requirements import normalise
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.code import Code
from s2i.planning.expression import Call, Name
from s2i.planning.ignored import is_aside
from s2i.planning.module import Module
from s2i.planning.plan import Decision
from s2i.sources import Notice, Tree

PATH = Path(__file__).with_name("imports.toml")
_NAME = lazily(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_MOST = 40
CLOSE = 0.85  # so alike are a file's name and requirements.txt, of which it is a misspelling
# The standard library's names of other versions: gone since, or not there yet in the Python that plans.
_LIBRARY = frozenset(
    {
        "asynchat", "asyncore", "imp", "distutils", "smtpd", "cgi", "cgitb", "crypt", "telnetlib", "imghdr", "sndhdr",
        "audioop", "aifc", "chunk", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "spwd", "sunau",
        "uu", "xdrlib", "lib2to3", "annotationlib", "compression", "string", "tomllib", "zoneinfo", "parser", "symbol",
        "formatter", "binhex", "macpath", "dummy_threading", "_typeshed", "__future__", "__main__",
    }
)  # fmt: skip


class Forgotten(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of what a framework uses only when it is there."""

    distribution: str
    uses: tuple[str, ...]
    brings: tuple[str, ...]
    why: str
    link: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    distribution: dict[str, str] = {}
    namespace: dict[str, str] = {}
    forgotten: tuple[Forgotten, ...] = ()


class _Import(msgspec.Struct, frozen=True):
    name: str
    where: str


def complete(manifest: Manifest, tree: Tree, code: Code, start: str, package: str, *, whole: bool = False) -> Manifest:
    """Return the manifest with what the code needs besides.

    ``start`` is the module that is run, ``package`` the distribution of its framework ("" for none); ``whole``: the
    framework imports modules by itself, so all count.
    """
    modules = list(code.modules.values()) if whole else reached(code, start)
    if manifest.manager == "none":
        return _inferred(manifest, tree, code, modules, package)
    return _forgotten(manifest, modules)


def _inferred(manifest: Manifest, tree: Tree, code: Code, modules: list[Module], package: str) -> Manifest:
    """Return a manifest made of the imports: weak, and said."""
    own = {name.partition(".")[0] for name in code.modules} | {
        e.path.split("/")[0].removesuffix(".py") for e in tree.files
    }
    words: dict[str, str] = {package: modules[0].path} if package else {}
    known = {normalise(package)} if package else set()
    for found in _imports(modules):
        word = _distribution(found.name, own)
        name = normalise(re.split(r"[\[<>=!~]", word)[0])
        if word and name not in known:
            known.add(name)
            words[word] = found.where
    if not words:
        return manifest
    listed = ", ".join(list(words)[:_MOST])
    text = f"no manifest: what the code imports is installed, in its newest version: {listed}{_misnamed(tree)}"
    asked = {r.name: r for word, where in words.items() if (r := requirements.parse(word, where))}
    decision = Decision("manager", "none", "the imports of the code", "weak")
    return msgspec.structs.replace(
        manifest,
        decision=decision,
        asked=asked,
        added=tuple(words)[:_MOST],
        notices=(*manifest.notices, Notice("W_NO_MANIFEST", text)),
    )


def _misnamed(tree: Tree) -> str:
    """Say which file may be meant as requirements.txt, "" for none."""
    files = {entry.path.lower(): entry.path for entry in tree.files if "/" not in entry.path}
    near = get_close_matches("requirements.txt", files, 1, CLOSE)
    return f"; is {files[near[0]]} meant to be read? then call it requirements.txt" if near else ""


def _forgotten(manifest: Manifest, modules: list[Module]) -> Manifest:
    names = manifest.names
    added: dict[str, Notice] = {}
    imported = {name for module in modules for name in module.imports}
    rows = toml.select(PATH, _Table, (f'"{name}.' for name in imported), head=False).forgotten
    for row in rows:
        if normalise(row.distribution) in names or any(_brings(manifest, each) for each in row.brings):
            continue
        for module in modules:
            if used := _uses(module, row):
                text = f"{row.distribution} is installed too: the source uses it ({used[0]}) and does not name it"
                added[row.distribution] = Notice("W_UNDECLARED", text, f"{module.path}:{used[1]}")
                break
    if not added:
        return manifest
    return msgspec.structs.replace(
        manifest, added=(*manifest.added, *added), notices=(*manifest.notices, *added.values())
    )


def _brings(manifest: Manifest, each: str) -> bool:
    name, _, extra = each.rstrip("]").partition("[")
    wanted = manifest.asked.get(name)
    if extra:
        return wanted is not None and extra in wanted.extras
    return name in manifest.names


def _uses(module: Module, row: Forgotten) -> tuple[str, int] | None:
    """Return the name of a row that a module imports, and its line."""
    for binding in module.bindings.values():
        if binding.form == "import" and binding.target in row.uses:
            return binding.target, binding.line
        match binding.value:
            case Call(function=Name(dotted)) if dotted in row.uses:
                return dotted, binding.line
    return None


def reached(code: Code, start: str) -> list[Module]:
    """Return the modules that running ``start`` imports, as far as the imports at the top of a module tell."""
    if start not in code.modules:
        return [module for module in code.modules.values() if not is_aside(module.path)]
    found: dict[str, Module] = {}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in found or name not in code.modules:
            continue
        found[name] = code.modules[name]
        waiting.extend(_next(code, found[name]))
    return list(found.values())


def _next(code: Code, module: Module) -> Iterator[str]:
    """Yield the names of modules of the source that a module imports, with the packages that they stand in."""
    named = [b.target for b in module.bindings.values() if b.form == "import"]
    for target in (module.name, *named, *module.stars, *sorted(module.imported)):
        parts = target.split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
    for first in sorted(module.imports & code.modules.keys()):
        # `import shop.web` tells only "shop" here: all of that package counts.
        yield from (name for name in code.modules if name == first or name.startswith(f"{first}."))


def _imports(modules: list[Module]) -> Iterator[_Import]:
    """Yield each top-level name that is imported, once; of a namespace, the part that is."""
    seen: set[str] = set()
    shared = {name.partition(".")[0] for name in _table().namespace}
    for module in modules:
        targets = {b.target: b.line for b in module.bindings.values() if b.form == "import"}
        for name in sorted(module.imports):
            lines = [line for target, line in targets.items() if target.partition(".")[0] == name]
            where = f"{module.path}:{min(lines)}" if lines else module.path
            parts = sorted(t for t in targets if t.startswith(f"{name}.")) if name in shared else [name]
            for part in parts:
                if part not in seen:
                    seen.add(part)
                    yield _Import(part, where)


def _distribution(name: str, own: set[str]) -> str:
    """Return the requirement that brings an import, "" when nothing has to be installed for it."""
    first = name.partition(".")[0]
    if first in own or first in sys.stdlib_module_names or first in _LIBRARY or first.startswith("_"):
        return ""
    table = _table()
    if "." in name:
        fits = [prefix for prefix in table.namespace if f"{name}.".startswith(f"{prefix}.")]
        return table.namespace[max(fits, key=len)] if fits else ""
    if first in table.distribution:
        return table.distribution[first]
    return first.replace("_", "-") if _NAME.fullmatch(first) else ""


@functools.cache
def _table() -> _Table:
    return toml.load(PATH, _Table)
