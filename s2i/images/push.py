"""Push an image to its registries, through the engine, which sends only the layers that are missing there."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from s2i import shell
from s2i.engines.docker import connection
from s2i.errors import E_CANCELLED, E_PUSH, E_PUSH_DENIED, E_PUSH_LATER, E_TAG, KINDS, S2IError
from s2i.images import api
from s2i.images.events import Image, StepEvent
from s2i.images.log import readable
from s2i.planning import toml
from s2i.wire import Refused, Wire

HUB = "docker.io"
HUB_KEY = "https://index.docker.io/v1/"  # what the Hub is called in a docker config
PAUSES = (0.5, 2.0)  # seconds before another try; the engine itself has tried each layer five times by then
TELL_SECONDS = 0.5
Tell = Callable[[StepEvent], None]


def target(tag: str) -> str:
    """Return ``tag`` when it names a place to push to. Raises E_TAG."""
    if "/" not in tag:
        raise E_TAG(
            value=tag, why="it names no registry", advice="write it as registry/name:version: registry.example/shop:1.2"
        )
    return tag


def push(
    image: Image, timeout: float, *, on_event: Tell = lambda event: None, cancelled: threading.Event | None = None
) -> Image:
    """Push ``image`` under each of its tags; return it with the digest that the registry has given it.

    ``timeout`` in seconds holds for each tag. Raises E_PUSH and its kin, E_CANCELLED.
    """
    engine = connection.wire()
    pushed: dict[str, None] = {}
    digest = image.digest
    for tag in image.tags:
        digest = _push(engine, tag, timeout, on_event, cancelled)
        pushed[f"{tag.rpartition(':')[0]}@{digest}"] = None
    return msgspec.structs.replace(image, digest=digest, pushed=tuple(pushed))


def registry(tag: str) -> str:
    """Return the registry that a name of an image leads to: ``docker.io`` when it names none."""
    first, slash, _ = tag.partition("/")
    return first if slash and (re.search("[.:]", first) or first == "localhost") else HUB


def credentials(host: str) -> Mapping[str, str]:
    """Return what the user's docker config has for ``host``; nothing for what it does not know.

    Raises E_PUSH_DENIED when a credential helper fails.
    """
    key = HUB_KEY if host == HUB else host
    folder = os.environ.get("DOCKER_CONFIG") or str(Path.home() / ".docker")
    try:
        config = json.loads(Path(folder, "config.json").read_bytes())
        known = config.get("credsStore") or {*(config.get("auths") or {}), *(config.get("credHelpers") or {})}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    # Most are pushed to without a password, and the library takes longer to import than a layer to send.
    if not isinstance(known, str) and key not in known and not any(_host(name) == host for name in known):
        return {}
    import docker.auth
    import docker.errors

    try:
        found = docker.auth.load_config(folder + "/config.json").resolve_authconfig(key)
    except docker.errors.DockerException as error:
        raise E_PUSH_DENIED(registry=host, why=f"its credential helper fails: {error}", log=()) from None
    return {name.lower(): str(value) for name, value in (found or {}).items() if value}


def _host(name: str) -> str:
    """Return the host of a registry as a docker config names it: ``https://r.example/v2/`` is ``r.example``."""
    return name.removeprefix("https://").removeprefix("http://").partition("/")[0]


class Reader:
    """Reads what the engine tells of one push. ``digest`` and ``error`` are "" until it tells them."""

    def __init__(self) -> None:
        self.digest = self.error = ""
        self._sent: dict[str, tuple[int, int]] = {}  # layer -> bytes sent, of how many

    def feed(self, line: bytes) -> None:
        """Take one line of JSON."""
        row = msgspec.json.decode(line, type=_Row)
        if row.error:
            self.error = readable(row.error)
        if row.aux and row.aux.Digest:
            self.digest = row.aux.Digest
        if row.progressDetail and row.progressDetail.total:
            detail = row.progressDetail
            self._sent[row.id] = (min(detail.current, detail.total), detail.total)
        elif row.status == "Pushed" and row.id in self._sent:
            total = self._sent[row.id][1]
            self._sent[row.id] = (total, total)

    def sent(self) -> str:
        """Say how much is sent, of what the registry did not have."""
        now, whole = (sum(part) for part in zip(*self._sent.values(), strict=True)) if self._sent else (0, 0)
        return f"{now / 1e6:.1f} of {whole / 1e6:.1f} MB" if whole else "the registry has every layer already"


class _Detail(msgspec.Struct):
    current: int = 0
    total: int = 0


class _Aux(msgspec.Struct):
    Digest: str = ""


class _Row(msgspec.Struct):
    status: str = ""
    id: str = ""
    error: str = ""
    progressDetail: _Detail | None = None  # noqa: N815 - the engine's own name
    aux: _Aux | None = None


def _push(engine: Wire, tag: str, timeout: float, on_event: Tell, cancelled: threading.Event | None) -> str:
    """Push one tag, again after a passing fault; return its digest."""
    name = f"push {tag}"
    began = time.monotonic()
    on_event(StepEvent("started", name, name))
    # An empty object: without the header an engine refuses before it asks the registry.
    about = json.dumps(dict(credentials(registry(tag)))).encode()
    headers = {"X-Registry-Auth": base64.urlsafe_b64encode(about).decode()}
    for pause in (*PAUSES, None):
        try:
            reader = _once(engine, tag, headers, timeout, on_event, cancelled)
        except S2IError as error:
            late = time.monotonic() - began >= timeout
            if error.kind is not E_PUSH_LATER or pause is None or late:
                on_event(StepEvent("failed", name, name, time.monotonic() - began, error.message))
                raise
            on_event(StepEvent("log", name, name, time.monotonic() - began, f"again in {pause} s: {error.message}"))
            if (cancelled or threading.Event()).wait(pause):
                raise E_CANCELLED(doing=f"{tag} was being pushed") from None
        else:
            on_event(StepEvent("done", name, f"{name}: {reader.sent()}", round(time.monotonic() - began, 3)))
            return reader.digest
    raise AssertionError("unreachable")


def _once(
    engine: Wire, tag: str, headers: Mapping[str, str], timeout: float, tell: Tell, cancelled: threading.Event | None
) -> Reader:
    reader = Reader()
    name, began = f"push {tag}", time.monotonic()
    told = began

    def read(line: bytes) -> None:
        nonlocal told
        reader.feed(line)
        now = time.monotonic()
        if now - told >= TELL_SECONDS:
            told = now
            tell(StepEvent("log", name, name, round(now - began, 3), reader.sent()))

    repository, _, version = tag.rpartition(":")
    where = registry(tag)
    try:
        api.stream(
            engine, f"/images/{repository}/push", {"tag": version}, b"", headers, read,
            timeout=timeout, cancelled=cancelled,
        )  # fmt: skip
    except Refused as refusal:
        reader.error = str(refusal)
    except OSError as error:
        raise E_PUSH(registry=where, why=f"the engine stopped answering: {error}", log=()) from None
    except shell.TimedOut:
        raise E_PUSH_LATER(registry=where, why=f"it took longer than {timeout:g} s", log=()) from None
    if cancelled is not None and cancelled.is_set():
        raise E_CANCELLED(doing=f"{tag} was being pushed")
    if reader.error or not reader.digest:
        raise meant(reader.error or "the engine told no digest", where)
    return reader


def meant(text: str, where: str) -> S2IError:
    """Return the error for what an engine said of a push to the registry ``where``."""
    for fault in faults():
        if found := re.search(fault.pattern, text, re.IGNORECASE):
            facts = {name: " ".join((value or "").split()) for name, value in found.groupdict().items()}
            return KINDS[fault.kind](registry=where, why=fault.why.format_map(facts), log=(text,))
    return E_PUSH(registry=where, why="the engine could not push", log=(text,))


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known cause: an error's code, the pattern that shows it, how to say it."""

    kind: str
    pattern: str
    why: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fault: tuple[Fault, ...]


@functools.cache
def faults() -> tuple[Fault, ...]:
    """Return the known causes, in the order in which they are tried."""
    return toml.load(Path(__file__).with_name("push.toml"), _Table).fault
