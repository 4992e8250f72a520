"""What of the installed distributions is left out of the image: the table prune.toml."""

from __future__ import annotations

from pathlib import Path

import msgspec

from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.planning.settings import Given
from s2i.sources import Tree

PATH = Path(__file__).with_name("prune.toml")


class Leave(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pattern of paths that are left out; ``what`` they are, in a decision's words ("" for what nobody misses)."""

    path: str
    why: str
    what: str = ""


class Keep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One package whose folder is shipped whole."""

    package: str
    why: str
    link: str = ""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """prune.toml."""

    leave: tuple[Leave, ...]
    keep: tuple[Keep, ...] = ()


class Pruned(msgspec.Struct, frozen=True):
    """``words``: what `find` is asked, for the files that are shipped."""

    decision: Decision
    words: tuple[str, ...] = ()


def choose(tree: Tree, given: Given) -> Pruned:
    """Return what is left out; nothing when s2i.toml says so."""
    if given.settings.prune is False:
        return Pruned(Decision("prune", "nothing", given.where(tree, "prune")))
    table = toml.load(PATH, Table)
    left = ", ".join(row.what for row in table.leave if row.what)
    origin = given.where(tree, "prune") if given.settings.prune else "prune.toml: what only developers use"
    return Pruned(Decision("prune", left, origin), _words(table))


def _words(table: Table) -> tuple[str, ...]:
    words: list[str] = []
    for row in table.leave:
        words += ["!", "-path", f"*/site-packages/{row.path}"]
    kept = [word for row in table.keep for word in ("-o", "-path", f"*/site-packages/{row.package}/*")]
    return ("(", *words, *kept, ")") if kept else tuple(words)
