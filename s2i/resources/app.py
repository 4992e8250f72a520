"""Applications, their revisions, and the deployments that make them."""

from __future__ import annotations

from typing import Literal

import msgspec

DeploymentStatus = Literal["building", "rolling-out", "ready", "failed", "cancelled", "interrupted"]
RevisionStatus = Literal["starting", "serving", "draining", "retired", "failed"]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an instance is run. ``memory`` in bytes, ``cpu`` in cores, ``env`` as pairs."""

    env: tuple[tuple[str, str], ...] = ()
    cpu: float = 1.0
    memory: int = 512 << 20
    port: int = 8080
    command: tuple[str, ...] = ()


class Revision(msgspec.Struct, frozen=True):
    """One immutable version of an app: an image by id (``sha256:...``), and a config.

    ``status`` and ``reason`` say what became of it; they are all that ever changes.
    """

    project: str
    app: str
    number: int
    image: str
    config: Config
    source: str = ""  # for people: the folder or URL
    commit: str = ""
    created: float = 0.0  # epoch seconds
    status: RevisionStatus = "starting"
    reason: str = ""  # why it failed
    held: bool = False  # not proven yet: it is started, and gets no traffic


class App(msgspec.Struct, frozen=True):
    """What is wanted of an app: revision ``target`` is to serve; ``serving`` does now (0: none yet)."""

    project: str
    name: str
    target: int
    serving: int = 0
    reason: str = ""  # why the newest revision does not serve, when it does not
    created: float = 0.0
    deleting: bool = False  # to be forgotten as soon as its route and containers are gone


class Deployment(msgspec.Struct, frozen=True):
    """One execution of source to running service. ``result`` is the URL of an app or the name of a job run."""

    id: str
    project: str
    name: str
    source: str
    status: DeploymentStatus
    created: float
    kind: Literal["", "app", "job"] = ""  # known once the plan is
    revision: int = 0
    result: str = ""
    finished: float = 0.0
    error: dict[str, str | int] | None = None


class Event(msgspec.Struct, frozen=True):
    """Something that happened to an app or a job: ``at`` in epoch seconds, ``what`` one word, ``text`` for people."""

    at: float
    project: str
    name: str
    what: str
    text: str = ""
