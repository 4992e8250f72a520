"""Applications, their revisions, and the deployments that make them."""

from __future__ import annotations

from typing import Literal

import msgspec

from s2i.resources.bundle import EnvFrom
from s2i.resources.mounts import Files, Mount
from s2i.resources.volume import VolumeMount

DeploymentStatus = Literal[
    "queued", "building", "rolling-out", "ready", "failed", "cancelled", "interrupted", "superseded"
]
RevisionStatus = Literal["starting", "ready", "serving", "retired", "failed"]
Visibility = Literal["public", "project", "private"]
OPEN_DEPLOYMENT: tuple[DeploymentStatus, ...] = ("queued", "building", "rolling-out")


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question that an instance has to answer. ``port`` 0: the one it listens on. Times in seconds.

    "http": a GET of ``path`` succeeds with a status from 200 to 399; "tcp": a connection does. What fails
    ``failure_threshold`` times in a row counts as failed.
    """

    type: Literal["http", "tcp"] = "http"
    path: str = "/"
    port: int = 0
    interval: int = 10
    timeout: int = 1
    initial_delay: int = 0
    failure_threshold: int = 3


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How an instance is run. ``memory`` in bytes, ``cpu`` in cores, ``env`` as pairs.

    ``command`` takes the place of all that the image starts, ``arguments`` of what follows its entry point. ``release``
    is run once, before a new revision gets requests; () for what the source itself says, if anything.
    ``env_from``: secrets and configmaps that give variables, before those of ``env``; ``mounts``: that give files.
    ``volumes``: where it has which of its project.
    ``probe_ready``: when it can take requests (None: as soon as it gives any HTTP answer); ``probe_live``: it is ended
    and started anew when that fails.
    """

    env: tuple[tuple[str, str], ...] = ()
    cpu: float = 1.0
    memory: int = 512 << 20
    port: int = 8080
    command: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    probe_ready: Probe | None = None
    probe_live: Probe | None = None
    env_from: tuple[EnvFrom, ...] = ()
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[VolumeMount, ...] = ()


class Opened(Config, frozen=True, forbid_unknown_fields=True):
    """A config with what its secrets and configmaps give, in ``env`` and ``files``. It is never kept anywhere."""

    files: tuple[Files, ...] = ()


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many instances an app may have, and what each is meant to take.

    ``min`` and ``max`` instances; with ``min`` 0 an app without requests sleeps. ``concurrency``: requests under way at
    one instance, at most; 0: no limit. ``target``: as many are meant to be; 0: as the limit says, else 100.
    ``down_delay``: for so many seconds after it was needed an instance is kept. ``window``: the seconds over which the
    requests are averaged, and that an app has to be without any before it sleeps.
    """

    min: int = 0
    max: int = 10
    concurrency: int = 0
    target: int = 0
    down_delay: float = 0.0
    window: float = 60.0


class Routing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How requests come to an app.

    ``request_timeout``: seconds from the whole request to the head of its answer; whatever streams after that is not
    cut. ``h2c``: its instances speak HTTP/2 without TLS. ``visibility``: who may ask it: everybody, only containers of
    its project's network, or nobody (it has no route). ``body_limit``: bytes of a request's body; 0: no limit.
    """

    request_timeout: float = 300.0
    h2c: bool = False
    visibility: Visibility = "public"
    body_limit: int = 0


class Domain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A host name of its own that an app has. ``tls``: where its certificate comes from.

    "acme" from a public authority, "local" from the CA of this machine, "off" from nowhere: HTTP alone; "auto" is
    "acme" where the server knows of one, else "local".
    """

    host: str
    tls: Literal["auto", "acme", "local", "off"] = "auto"


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
    quiet: bool = False  # it is to become ready, and gets traffic only when that is asked for
    own_port: bool = False  # somebody has asked for its port: the next one has it too
    release: tuple[str, ...] = ()  # what is run before it gets requests
    processes: tuple[tuple[str, tuple[str, ...]], ...] = ()  # names and commands of what runs beside it
    tag: str = ""  # the name that it is to have as soon as it is ready


class App(msgspec.Struct, frozen=True):
    """What is wanted of an app: revision ``target`` is to serve; ``serving`` is the newest that could (0: none yet).

    ``traffic``: percent by revision, where somebody has said so; else all goes to the one that serves. ``fallback``:
    the revision that served before, which runs on until the one that serves has shown that it stays up (0: none does).
    """

    project: str
    name: str
    target: int
    serving: int = 0
    reason: str = ""  # why the newest revision does not serve, when it does not
    created: float = 0.0
    deleting: bool = False  # to be forgotten as soon as its route and containers are gone
    scale: Scale = Scale()
    routing: Routing = Routing()
    traffic: tuple[tuple[int, int], ...] = ()
    stopped: bool = False  # nothing of it runs, and no request wakes it
    domains: tuple[Domain, ...] = ()
    tags: tuple[tuple[str, int], ...] = ()  # names of revisions that have an address of their own
    fallback: int = 0

    @property
    def percents(self) -> dict[int, int]:
        """Percent of the requests by number of the revision that gets them."""
        return dict(self.traffic) or ({self.serving: 100} if self.serving else {})

    @property
    def numbers(self) -> set[int]:
        """The revisions that it needs: those that get requests, or may at any time."""
        return {*self.percents, self.serving, self.target, self.fallback, *dict(self.tags).values()} - {0}


class Deployment(msgspec.Struct, frozen=True):
    """One execution of source to running service. ``result`` is the URL of an app or the name of a job run.

    ``once``: digests of the key and of the body of the request that began it, of one that is not to begin two.
    """

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
    once: str = ""


class Event(msgspec.Struct, frozen=True):
    """Something that happened to an app or a job: ``at`` in epoch seconds, ``what`` one word, ``text`` for people."""

    at: float
    project: str
    name: str
    what: str
    text: str = ""
