"""Read a Procfile: shown in the plan, believed where it names an application that the code has."""

from __future__ import annotations

import re

import msgspec

from s2i.errors import E_PROCFILE
from s2i.sources import Notice, Tree

_TYPE = re.compile(r"[a-z][a-z0-9-]{0,29}")
_PLAIN = re.compile(r"[A-Za-z0-9 \t@%+=:,./_${}()'\"-]*")
_SERVERS = frozenset({"gunicorn", "hypercorn", "uvicorn"})
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\(\))?", re.ASCII)


class Process(msgspec.Struct, frozen=True):
    """One line: ``type: command``."""

    type: str
    command: str
    where: str

    @property
    def target(self) -> str:
        """The ``module:name`` that a known server is given; "" when it is no such plain command."""
        words = self.command.split()
        if not words or words[0] not in _SERVERS or not _PLAIN.fullmatch(self.command):
            return ""
        return next((w.strip("'\"") for w in words[1:] if _TARGET.fullmatch(w.strip("'\""))), "")


def read(tree: Tree) -> tuple[Process, ...]:
    """Return the processes of the Procfile, in order. Raises E_PROCFILE, E_ENCODING (exit 3)."""
    if "Procfile" not in tree:
        return ()
    found: dict[str, Process] = {}
    for number, raw in enumerate(tree.text("Procfile", 64 << 10).split("\n"), 1):
        line, where = raw.strip(), f"Procfile:{number}"
        if not line or line.startswith("#"):
            continue
        type_, colon, command = line.partition(":")
        if not colon or not command.strip():
            raise E_PROCFILE(why=f'"{line[:60]}" is no `type: command`', where=where)
        if not _TYPE.fullmatch(type_.strip()):
            raise E_PROCFILE(why=f'"{type_[:60]}" cannot be a type', where=where)
        if type_.strip() in found:
            raise E_PROCFILE(why=f"duplicate type {type_.strip()}", where=where)
        found[type_.strip()] = Process(type_.strip(), command.strip(), where)
    return tuple(found.values())


def notices(processes: tuple[Process, ...], used: str) -> tuple[Notice, ...]:
    """Say which lines were seen and not followed; ``used`` is the ``file:line`` of the one that was."""
    return tuple(
        Notice(
            "W_PROCFILE", f"`{p.type}: {p.command[:120]}` was read and is not run: the start command is s2i's", p.where
        )
        for p in processes
        if p.where != used
    )
