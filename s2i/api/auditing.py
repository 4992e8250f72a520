"""Who did what: one line in the audit log for each request that would change something (THREATS T67)."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

import msgspec

from s2i.api.access import Need
from s2i.control import services
from s2i.control.platform import Platform
from s2i.errors import S2IError
from s2i.planning.secretnames import looks_secret
from s2i.resources import masked
from s2i.resources.app import Config
from s2i.resources.audit import Deed
from s2i.resources.bundle import BundleKind
from s2i.resources.people import Caller
from s2i.sources import Folder, Git, Given, Upload
from s2i.sources.source import hide

log = logging.getLogger("s2i")

LONG, LEFT_OUT = 16 << 10, "too long to be kept here"  # bytes of one field
NAMES = ("name", "ident")  # of a path, what may say which thing is meant
FIELDS_OF = {
    "app": ("target", "serving", "stopped", "scale", "routing", "traffic", "tags", "domains"),
    "job": ("execution", "keep", "schedule"),
    "project": ("limits", "egress", "deleted"),
}


class Named(msgspec.Struct, frozen=True):
    """What of a body says which thing it is about, and what is made of what; all else of it is passed over."""

    name: str = ""
    app: str = ""
    image: str = ""
    source: Given | None = None


def named(body: bytes) -> Named:
    """Return what a body is about; nothing of one that cannot be read, which is refused anyway."""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.json.decode(body or b"{}", type=Named)
    return Named()


def name_of(params: dict[str, Any], about: Named) -> str:
    """Return the name of the thing that a request is about."""
    return next((str(params[key]) for key in NAMES if key in params), about.name)


def seen(platform: Platform, need: Need, project: str, name: str) -> dict[str, Any]:
    """Return how the thing is that ``need`` does something to, masked; {} when it is not there."""
    noun = need.verb.partition(" ")[0]
    with contextlib.suppress(S2IError):
        found: dict[str, Any] = _hidden("", msgspec.to_builtins(_seen(platform, noun, project, name)))
        return found
    return {}


def record(
    platform: Platform,
    caller: Caller,
    need: Need,
    params: dict[str, Any],
    about: Named,
    *,
    status: int,
    code: str,
    before: dict[str, Any],
) -> None:
    """Write the line of a request that is answered. What cannot be written is told in the log of the server."""
    project, name = str(params.get("project", "")), name_of(params, about)
    after = seen(platform, need, project, name) if status < 400 else before
    was, told = _difference(before, after)
    if need.verb == "app deploy":
        told |= _asked(about)
    if how := params.get("how"):
        told["how"] = str(how)[:40]
    deed = Deed(
        platform.world.now(),
        caller.name,
        caller.where,
        need.verb,
        project[:80],
        name[:80],
        status,
        code,
        was,
        told,
    )
    try:
        platform.store.add_deed(deed)
    except S2IError as error:
        log.error("%s of %s by %s is not in the audit log: %s", need.verb, name, caller.name, error)


def _difference(before: dict[str, Any], after: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what of it has become otherwise, as it was and as it is; of what is very long only its name."""

    def part(of: dict[str, Any]) -> dict[str, Any]:
        found = {key: value for key, value in of.items() if before.get(key) != after.get(key)}
        return {key: value if len(msgspec.json.encode(value)) <= LONG else LEFT_OUT for key, value in found.items()}

    return part(before), part(after)


def _seen(platform: Platform, noun: str, project: str, name: str) -> dict[str, Any]:
    store = platform.store
    if noun == "app":
        app = store.app(project, name)
        config = store.revision(project, name, app.serving).config if app.serving else Config()
        return {**_fields(app, FIELDS_OF[noun]), "config": config}
    if noun == "job":
        job = store.job(project, name)
        return {**_fields(job, FIELDS_OF[noun]), "config": job.config}
    if noun == "volume":
        return {"created": store.volume(project, name).created}
    if noun == "service":
        job = services.one(platform.world, project, name)
        return {"service": job.service, "config": job.config}
    if noun == "jobrun":
        return {"status": store.run(project, name).status}
    if noun == "deployment":
        return {"status": store.deployment(project, name).status}
    if noun in ("secret", "configmap"):
        kind: BundleKind = "secret" if noun == "secret" else "configmap"
        one = store.bundle(project, kind, name)
        return {"version": one.version, "keys": one.keys}
    if noun == "project":
        found = {one.name: one for one in (*store.projects(), *store.deleted_projects())}
        return _fields(found[project or name], FIELDS_OF[noun]) if (project or name) in found else {}
    if noun == "member":
        return {"role": role} if (role := _role(platform, project, name)) else {}
    if noun == "token":
        return _fields(store.token(name), ("admin", "expires"))
    if noun == "domain":
        leads = [(app.name, one.tls) for app in store.apps(project) for one in app.domains if one.host == name]
        return {"app": leads[0][0], "tls": leads[0][1]} if leads else {}
    return {}


def _role(platform: Platform, project: str, name: str) -> str:
    return next((one.role for one in platform.store.members(project) if one.token == name), "")


def _fields(one: Any, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: getattr(one, field) for field in fields}


def _asked(about: Named) -> dict[str, Any]:
    if about.source is None:
        return {"image": about.image} if about.image else {}
    match about.source:
        case Folder(path=path):
            return {"source": path}
        case Git(url=url):
            return {"source": hide(url)}
        case Upload(title=title):
            return {"source": f"{title[:200]}, sent"}


def _hidden(key: str, value: Any) -> Any:
    """Return a value as JSON has it with its passwords masked."""
    if key == "env":
        return [[name, masked.value(name, content, looks_secret)] for name, content in value]
    if isinstance(value, dict):
        return {name: _hidden(name, one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        words = all(isinstance(one, str) for one in value)
        return list(masked.words(value, looks_secret)) if words else [_hidden("", one) for one in value]
    return masked.text(value, looks_secret) if isinstance(value, str) else value
