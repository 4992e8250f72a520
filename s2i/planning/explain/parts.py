"""What the parts of a Dockerfile are for: templates/Dockerfile.toml, which stands beside the template."""

from __future__ import annotations

import functools

import msgspec

from s2i import assets
from s2i.planning import toml
from s2i.planning.explain.recipe import Region


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: which part it is about (what is left out fits anything), and what is said of it."""

    of: str
    says: str
    without: str
    stage: str = ""
    has: str = ""
    begins: str = ""
    general: bool = False
    decisions: tuple[str, ...] = ()
    link: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    part: tuple[Row, ...]


@functools.cache
def rows() -> tuple[Row, ...]:
    """Return the table, in order: the first row that fits is the one."""
    return toml.load(assets.folder("templates") / "Dockerfile.toml", _Table).part


def whole(region: Region) -> Row | None:
    """Return what is said of an instruction; None for one that the table does not have."""
    text = region.instruction.text
    return next(
        (
            row
            for row in rows()
            if row.of == region.instruction.word
            and row.stage in ("", "runtime" if region.stage == "runtime" else "build", region.stage)
            and row.has in text
            and row.begins in ("", f"{row.of} ")
        ),
        None,
    )


def one_line(region: Region, line: str) -> Row | None:
    """Return what is said of one line of an instruction of several; None when nothing is."""
    word = region.instruction.word
    bare = line.strip().removeprefix(f"{word} ").removesuffix("\\").removesuffix(" && ").strip()
    bare = bare.removeprefix("export ")
    rows_of = [row for row in rows() if row.of == word]
    found = next((row for row in rows_of if row.begins and bare.startswith(row.begins)), None)
    if found is None and word == "ENV" and "=" in bare:
        return next(row for row in rows_of if not row.begins)
    return found


def comment(line: str) -> Row:
    """Return what is said of a comment."""
    return next(row for row in rows() if row.of == "#" and row.has in line)
