"""Read a Procfile: what it names holds when it is there; what cannot be is overruled, and said."""

from __future__ import annotations

import re

import msgspec

from buildpacks.python.entry.command import Command
from buildpacks.python.entry.command import read as read_command
from s2i.errors import E_PROCFILE
from s2i.patterns import lazily
from s2i.planning.plan import Process
from s2i.sources import Notice, Tree

_ASSIGNED = lazily(r"\b([A-Z][A-Z0-9_]*)=\S+")
_TYPE = lazily(r"[A-Za-z][A-Za-z0-9_-]{0,29}", re.ASCII)


class Line(msgspec.Struct, frozen=True):
    """One line: ``type: text``, and what it runs (None when only a shell could tell)."""

    type: str
    text: str
    where: str
    command: Command | None


def read(tree: Tree) -> tuple[Line, ...]:
    """Return the lines of the Procfile, in order. Raises E_PROCFILE, E_ENCODING (exit 3)."""
    if "Procfile" not in tree:
        return ()
    found: dict[str, Line] = {}
    for number, raw in enumerate(tree.text("Procfile", 64 << 10).split("\n"), 1):
        line, where = raw.strip(), f"Procfile:{number}"
        if not line or line.startswith("#"):
            continue
        type_, colon, text = (part.strip() for part in line.partition(":"))
        if not colon or not text:
            raise E_PROCFILE(why=f'"{line[:60]}" is no `type: command`', where=where)
        if not _TYPE.fullmatch(type_):
            raise E_PROCFILE(why=f'"{type_[:60]}" cannot be a type', where=where)
        if type_ in found:
            raise E_PROCFILE(why=f"duplicate type {type_}", where=where)
        found[type_] = Line(type_, text, where, read_command(text))
    return tuple(found.values())


def others(lines: tuple[Line, ...]) -> tuple[Process, ...]:
    """Return what runs beside the web process: workers, and what is run once before a release."""
    return tuple(
        Process(line.type.lower().replace("_", "-"), _argv(line), line.where) for line in lines if line.type != "web"
    )


def overruled(line: Line, why: str) -> Notice:
    """Say that a line is not run, and why."""
    shown = _ASSIGNED.sub(r"\1=…", line.text)[:120]  # what is set in front of a command is often a secret
    return Notice("W_PROCFILE", f"`{line.type}: {shown}` is not run: {why}", line.where)


def _argv(line: Line) -> tuple[str, ...]:
    """Return the command of a process: run in its container, through a shell only where it needs one."""
    command = line.command
    if command is None or command.before or command.folder or "$" in line.text or "=" in line.text.split()[0]:
        return ("sh", "-c", line.text)
    return (command.program, *command.words)
