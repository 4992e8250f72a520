"""Choose the server that runs in the image, and the command that starts it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from buildpacks.python.entry.declared import config_lines
from buildpacks.python.manifest import Manifest
from s2i.errors import E_CONFIG
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.candidates import Candidate
from s2i.planning.evidence import Evidence, decide
from s2i.planning.plan import Decision
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

_ENTRY = lazily(r"[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z_][A-Za-z0-9_-]*)*:[A-Za-z_][A-Za-z0-9_]*(\(\))?")

# In a container the program stays in front, writes nothing but /tmp, and has no certificate of its own.
_HARMFUL = (
    (lazily(r"\s*daemon\s*=\s*True\b.*"), "sends gunicorn into the background, and the container would end"),
    (
        lazily(r"\s*(?:pidfile|accesslog|errorlog)\s*=\s*f?[\"'](?!/tmp/|/dev/|-[\"']).*"),
        "writes files where an instance cannot",
    ),
    (lazily(r"\s*(?:certfile|keyfile)\s*=.*"), "speaks TLS, which is the router's part"),
    (lazily(r"\s*(?:user|group|chroot|chdir)\s*=.*"), "changes the user or the folder"),
    (lazily(r"\s*raise\b.*"), "can end the program before it serves"),
)


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


def choose(tree: Tree, given: Given, manifest: Manifest, app: Candidate, options: tuple[str, ...] = ()) -> Serving:
    """Return how ``app`` is served: by the server that s2i.toml or the source declares, else by the one for its kind.

    ``options`` are those of the source's own command that hold. Raises E_CONFIG for a server of the other kind.
    """
    table = toml.load(Path(__file__).with_name("servers.toml"), _Table).server
    of_kind = [s for s in table if s.kind == app.kind]
    named = _named(tree, given, of_kind, app)
    declared = named or next((s for s in of_kind if s.name in manifest.asked), None)
    server = declared or next(s for s in of_kind if s.needs)
    why = "s2i.toml names another" if named else "the source declares its own"
    others = [s for s in of_kind if s.needs and (s is not server or not declared)]
    rules = [Evidence(s.needs, f"servers.toml: {app.kind}", "likely", why) for s in others]
    if declared:
        rules += [
            Evidence(s.name, manifest.asked[s.name].where, "likely", why)
            for s in of_kind
            if s is not server and not s.needs and s.name in manifest.asked
        ]
    if named:
        seen = [Evidence(named.name, given.where(tree, "server")), *rules]
    elif declared:
        asked = manifest.asked[declared.name]
        seen = [Evidence(f"{asked.name}{asked.spec}", asked.where), *rules]
    else:
        seen = rules
    present = server.name in manifest.names
    return Serving(
        _command(tree, server, app, options),
        "" if present else server.needs or server.name,
        decide("server", seen),
        _notices(tree, server),
    )


def _named(tree: Tree, given: Given, of_kind: list[Server], app: Candidate) -> Server | None:
    """Return the server that s2i.toml names."""
    name = given.settings.server
    server = next((s for s in of_kind if s.name == name), None)
    if name and server is None:
        known = " or ".join(s.name for s in of_kind)
        why = f"{name} does not serve {app.kind} applications; {known} does"
        raise E_CONFIG(why=why, where=given.where(tree, "server"))
    return server


def _command(tree: Tree, server: Server, app: Candidate, options: tuple[str, ...]) -> tuple[str, ...]:
    """Fill the entry in. A shell stands in front, and is replaced, only where $PORT has to be expanded."""
    entry = f"{app.module}:{app.name}"
    if not _ENTRY.fullmatch(entry):
        raise AssertionError(f"an entry that was never checked: {entry!r}")
    words = [word.replace("{entry}", entry) for word in (server.factory if app.factory else server.start)]
    if options[:1] == (server.name,):
        words[1:1] = _without(words, options[1:])
    if server.name == "gunicorn" and (lines := config_lines(tree)):
        words[1:1] = ["--bind", "0.0.0.0:${PORT:-8080}"]  # gunicorn reads that file by itself, with what it binds
        if _harm(lines):
            words[1:1] = ["--config", "/dev/null"]
    if not any("$" in word for word in words):
        return tuple(words)
    line = " ".join(f"'{word}'" if "(" in word else word for word in words)
    return ("sh", "-c", f"exec {line}")


def _without(words: list[str], options: tuple[str, ...]) -> list[str]:
    """Return the source's own options; what they say again is taken out of ``words``."""
    for name in options:
        if name in words and name.startswith("--"):
            index = words.index(name)
            del words[index : index + 2]
    return list(options)


def _harm(lines: list[str]) -> tuple[int, str] | None:
    """Return the first line of a gunicorn.conf.py that no container survives, and what it does."""
    for number, line in enumerate(lines, 1):
        for pattern, what in _HARMFUL:
            if pattern.fullmatch(line):
                return number, what
    return None


def _notices(tree: Tree, server: Server) -> tuple[Notice, ...]:
    lines = config_lines(tree) if server.name == "gunicorn" else []
    if not lines:
        return ()
    if harm := _harm(lines):
        text = f"is not used: it {harm[1]}"
        return (Notice("W_GUNICORN_CONF", text, f"gunicorn.conf.py:{harm[0]}"),)
    text = "gunicorn reads this file; the address it binds is overruled, so that $PORT holds"
    return (Notice("W_GUNICORN_CONF", text, "gunicorn.conf.py"),)
