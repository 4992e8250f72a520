"""Choose the server that runs in the image, and the command that starts it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from buildpacks.python.manifest import Manifest
from s2i.planning import toml
from s2i.planning.candidates import Candidate
from s2i.planning.evidence import Evidence, decide
from s2i.planning.plan import Decision
from s2i.sources import Notice, Tree

_ENTRY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*:[A-Za-z_][A-Za-z0-9_]*(\(\))?")


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of servers.toml. ``needs`` is "" for a server that is used only when it is declared."""

    name: str
    kind: Literal["wsgi", "asgi"]
    start: tuple[str, ...]
    factory: tuple[str, ...]
    needs: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    server: tuple[Server, ...]


class Serving(msgspec.Struct, frozen=True):
    """The start command, what has to be installed for it ("" when it is there already), and why."""

    start: tuple[str, ...]
    needs: str
    decision: Decision
    notices: tuple[Notice, ...] = ()


def choose(tree: Tree, manifest: Manifest, app: Candidate) -> Serving:
    """Return how ``app`` is served: by the server that the source declares, else by the one for its kind."""
    table = toml.load(Path(__file__).with_name("servers.toml"), _Table).server
    of_kind = [s for s in table if s.kind == app.kind]
    declared = next((s for s in of_kind if s.name in manifest.asked), None)
    server = declared or next(s for s in of_kind if s.needs)
    given = [Evidence(s.needs, f"servers.toml: {app.kind}", "likely", "the source declares its own") for s in of_kind]
    if declared:
        asked = manifest.asked[declared.name]
        seen = [Evidence(f"{asked.name}{asked.spec}", asked.where), *(e for e in given if e.value)]
    else:
        seen = [e for e in given if e.value]
    present = declared is not None or server.name in manifest.locked
    return Serving(
        _command(tree, server, app), "" if present else server.needs, decide("server", seen), _notices(tree, server)
    )


def _command(tree: Tree, server: Server, app: Candidate) -> tuple[str, ...]:
    """Fill the entry in. A shell stands in front, and is replaced, only where $PORT has to be expanded."""
    entry = f"{app.module}:{app.name}"
    if not _ENTRY.fullmatch(entry):
        raise AssertionError(f"an entry that was never checked: {entry!r}")
    words = [word.replace("{entry}", entry) for word in (server.factory if app.factory else server.start)]
    if server.name == "gunicorn" and "gunicorn.conf.py" in tree:
        words[1:1] = ["--bind", "0.0.0.0:${PORT:-8080}"]  # gunicorn reads that file by itself, with what it binds
    if not any("$" in word for word in words):
        return tuple(words)
    line = " ".join(f"'{word}'" if "(" in word else word for word in words)
    return ("sh", "-c", f"exec {line}")


def _notices(tree: Tree, server: Server) -> tuple[Notice, ...]:
    if server.name != "gunicorn" or "gunicorn.conf.py" not in tree:
        return ()
    text = "gunicorn reads this file; the address it binds is overruled, so that $PORT holds"
    return (Notice("W_GUNICORN_CONF", text, "gunicorn.conf.py"),)
