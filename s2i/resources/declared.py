"""Apps as a file declares them: the tables [app.NAME] of s2i.toml. Pure: text in, what is wanted out."""

from __future__ import annotations

import re
import shlex
import tomllib
from typing import Any, Literal

import msgspec

from s2i.errors import E_DECLARED, E_TOML, S2IError
from s2i.resources import bundle, config, mounts, probes, volume
from s2i.resources.app import Routing, Scale
from s2i.resources.change import Change, routing_after, scale_after
from s2i.resources.names import app_name

TABLE = "app"
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_HEAD = re.compile(rf"""\s*\[\s*{TABLE}\s*\.\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*[\].]""")


class AppTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One table [app.NAME]; what is not in it has its default. The keys are the options of `s2i app create`.

    ``source``: a folder, seen from that of the file, or a Git URL [default: the file's folder, unless ``image`` is
    there]. ``memory`` and ``body_limit`` as "512M".
    """

    source: str = ""
    image: str = ""
    strategy: str = "auto"
    env: dict[str, str] = {}
    env_from_secret: tuple[str, ...] = ()
    env_from_configmap: tuple[str, ...] = ()
    mount_secret: tuple[str, ...] = ()
    mount_configmap: tuple[str, ...] = ()
    mount_volume: tuple[str, ...] = ()
    cpu: float = 1.0
    memory: str = "512M"
    port: int | str | None = None
    command: str | tuple[str, ...] = ()
    argument: tuple[str, ...] = ()
    release: str | tuple[str, ...] = ()
    probe_ready: dict[str, str | int] | None = None
    probe_live: dict[str, str | int] | None = None
    min_scale: int = 0
    max_scale: int = 10
    concurrency: int = 0
    concurrency_target: int = 0
    scale_down_delay: float = 0.0
    window: float = 60.0
    request_timeout: float = 300.0
    visibility: Literal["public", "project", "private"] = "public"
    body_limit: str = "0"


class Declared(msgspec.Struct, frozen=True):
    """One app that a file declares: ``source`` or ``image``, and all of its settings. ``where`` is file:line."""

    name: str
    where: str
    source: str
    image: str
    strategy: str
    change: Change


def parse(text: str, path: str) -> tuple[Declared, ...]:
    """Return the apps that ``text``, the file at ``path``, declares, in its order.

    Raises E_TOML, E_DECLARED, and what a value that cannot be raises; each with its file:line.
    """
    try:
        whole = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"at line (\d+)", str(error))
        number = found[1] if found else text.rstrip("\n").count("\n") + 1  # "at end of document"
        raise E_TOML(why=str(error), where=f"{path}:{number}") from None
    tables = whole.get(TABLE, {})
    if not isinstance(tables, dict) or not all(isinstance(each, dict) for each in tables.values()):
        raise E_DECLARED(why="app is no table of apps", where=_line(text, path, "", TABLE))
    if not tables:
        raise E_DECLARED(why="it declares no app", where=path)
    heads = _heads(text)
    return tuple(
        _one(name, table, text, path, f"{path}:{heads[name]}" if name in heads else path)
        for name, table in tables.items()
    )


def _heads(text: str) -> dict[str, int]:
    """Return the line at which the table of each app begins: of all at once, since a file can declare thousands."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if head := _HEAD.match(line):
            found.setdefault(next(filter(None, head.groups()), ""), number)
    return found


def _one(name: str, table: dict[str, Any], text: str, path: str, where: str) -> Declared:
    try:
        app_name(name)
        wanted = msgspec.convert(table, AppTable)
        if wanted.source and wanted.image:
            raise E_DECLARED(why="a source and an image are named: an app has one of them", where=where)
        change = _change(wanted)
        scale_after(change, Scale())
        routing_after(change, Routing())
    except msgspec.ValidationError as error:
        raise _refusal(error, name, text, path) from None
    except S2IError as error:
        error.where = error.where or where
        raise
    source = wanted.source or ("" if wanted.image else ".")
    return Declared(name, where, source, wanted.image, wanted.strategy, change)


def _change(wanted: AppTable) -> Change:
    port, h2c = config.split_protocol(str(wanted.port)) if wanted.port is not None else ("", None)
    settings: dict[str, Any] = {
        "cpu": config.checked_cpu(wanted.cpu),
        "memory": config.parse_memory(wanted.memory, what="memory"),
        "command": _words(wanted.command),
        "arguments": wanted.argument,
        "release": _words(wanted.release),
    }
    for name, pairs in (("probe_ready", wanted.probe_ready), ("probe_live", wanted.probe_live)):
        if pairs is not None:
            settings[name] = probes.of(pairs, name.replace("_", "-"))
    if port:
        settings["port"] = config.parse_port(port)
    return Change(
        exact=True,
        config=settings,
        env=config.checked_env(wanted.env.items()),
        env_from=(
            *(bundle.parse("secret", word) for word in wanted.env_from_secret),
            *(bundle.parse("configmap", word) for word in wanted.env_from_configmap),
        ),
        mounts=mounts.checked_all(
            (
                *(mounts.parse("secret", word) for word in wanted.mount_secret),
                *(mounts.parse("configmap", word) for word in wanted.mount_configmap),
            )
        ),
        volumes=volume.checked_all(map(volume.parse, wanted.mount_volume)),
        scale={
            "min": wanted.min_scale,
            "max": wanted.max_scale,
            "concurrency": wanted.concurrency,
            "target": wanted.concurrency_target,
            "down_delay": wanted.scale_down_delay,
            "window": wanted.window,
        },
        routing={
            "request_timeout": wanted.request_timeout,
            "visibility": wanted.visibility,
            "body_limit": config.parse_size(wanted.body_limit, "body-limit"),
            "h2c": bool(h2c),
        },
    )


def _words(command: str | tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command)) if isinstance(command, str) else command
    except ValueError as error:
        raise E_DECLARED(why=f"the command {command!r} does not split into words: {error}") from None


def _refusal(error: msgspec.ValidationError, name: str, text: str, path: str) -> S2IError:
    """Return the error about a key that is unknown, or has a value of the wrong type."""
    said, _, at = str(error).partition(" - at `$")
    keys = tuple(field.encode_name for field in msgspec.structs.fields(AppTable))
    if found := _UNKNOWN.fullmatch(said):
        import difflib

        near = difflib.get_close_matches(found[1], keys, 1, 0.6)
        meant = f": did you mean {near[0]}?" if near else ""
        return E_DECLARED(why=f'there is no key "{found[1]}"{meant}', where=_line(text, path, name, found[1]))
    key = at.strip("`.").partition("[")[0].partition(".")[0]
    plain = said.replace("`str`", "text in quotes").replace("`int`", "a number").replace("`float`", "a number")
    return E_DECLARED(why=f"{key}: {plain}".replace("`", ""), where=_line(text, path, name, key))


def _line(text: str, path: str, name: str, key: str) -> str:
    """Return ``path:line`` of a key of the table of ``name``, of the table itself where that does not hold it."""
    head = re.compile(rf"\[\s*{TABLE}\s*\.\s*[\"']?{re.escape(name)}[\"']?\s*[\].]")
    inside, first = False, 0
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            inside = bool(head.match(stripped))
            first = first or (number if inside else 0)
            if inside and re.search(rf"\.\s*[\"']?{re.escape(key)}[\"']?\s*\]", stripped):
                return f"{path}:{number}"
        elif inside and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*[=.]", stripped):
            return f"{path}:{number}"
    return f"{path}:{first}" if first else path
