"""Distributions so large that they get a layer of their own: the table heavy.toml."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from buildpacks.python.manifest import Manifest
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

PATH = Path(__file__).with_name("heavy.toml")
# What the requirements may say beside names: anything else (an index, an option of the build) would have to hold in
# each stage, and the plain way of installing has it right already.
_OPTION = lazily(r"^[ \t]*-(?!-?(?:r|requirement|c|constraint)\b)", re.MULTILINE)
_UV = lazily(r"tool\.uv\.(?:index|sources|pip)\b|(?:index-url|find-links|index-strategy|no-binary|no-build)")


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One large distribution: ``mb`` as installed; ``brings`` are large ones that come with it, by name or pattern."""

    name: str
    mb: int
    why: str = ""
    brings: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """heavy.toml. ``pays_from``: the MB from which on a layer of their own is worth its time."""

    pays_from: int
    heavy: tuple[Row, ...]


class Heavy(msgspec.Struct, frozen=True):
    """What is installed in a layer of its own: names and patterns of names; () when that would not pay."""

    names: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()


def choose(tree: Tree, manifest: Manifest) -> Heavy:
    """Return what of ``manifest`` gets a layer of its own."""
    if not toml.mentions(PATH, (f'{name}"' for name in manifest.names)):
        return Heavy()
    table = toml.load(PATH, Table)
    rows = {row.name: row for row in table.heavy}
    known = [name for name in sorted(manifest.names) if name in rows]
    names = tuple(dict.fromkeys((*known, *(each for name in known for each in rows[name].brings))))
    total = sum(rows[name].mb for name in names if name in rows)
    if total < table.pays_from or not _splits(tree, manifest):
        return Heavy()
    shown = f"{', '.join(known[:4])}{' …' if len(known) > 4 else ''} in one of their own"
    where = next((manifest.asked[name].where for name in known if name in manifest.asked), manifest.decision.origin)
    return Heavy(names, (Decision("layers", shown, f"{where} (about {total} MB, which seldom change)"),))


def _splits(tree: Tree, manifest: Manifest) -> bool:
    """Say whether exact versions can be had before anything is installed, and installed in two steps."""
    if manifest.needs_source or manifest.builds_project or manifest.workspace or manifest.dropped:
        return False
    if any(word.startswith("-") and word != "-r" for word in manifest.words):
        return False
    texts = [tree.read(path).decode(errors="replace") for path in manifest.files]
    match manifest.manager:
        case "requirements.txt" if manifest.exact:
            return len(manifest.files) == 1 and not manifest.added
        case "requirements.txt":
            return not any(_OPTION.search(text) for text in texts) and not manifest.stale
        case "uv":
            return not manifest.stale and not any(_UV.search(text) for text in texts[:1]) and "uv.toml" not in tree
        case "pyproject":
            return not any(_UV.search(text) for text in texts) and "uv.toml" not in tree
        case "poetry" | "pipenv":
            return bool(manifest.locked) and not manifest.stale
    return False
