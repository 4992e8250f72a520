"""What one deployment is to build, and what comes of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from s2i.resources.app import Config
from s2i.resources.change import Change
from s2i.resources.secret import Secret
from s2i.sources import Given


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to deploy, and how to run it. ``timeout``: of the build, and of the release command, in seconds.

    ``source`` is built, ``image`` (a name) is run as it is; with neither of them what serves gets other settings.
    ``change``: what is to be otherwise than in what serves now. ``expect``: whether the app has to be there already.
    ``kind`` "job": it is one, whatever it looks like. Of a job, ``execution`` and ``keep`` are fields of its Execution
    and Keep by name that are to be otherwise; with ``submit`` it is run at once.
    ``force``: secrets and configmaps that it refers to may come later.
    ``quiet``: the new revision becomes ready and gets no requests; ``tag``: a name, and with it an address of its own.
    ``unless_same``: no new revision when neither image nor settings are others.
    ``git_allow``: hosts that the person at the keyboard allows (S2I_GIT_ALLOW of their shell, not of the server's).
    ``prove``: no traffic before the image is proven. ``secrets`` are for the build alone: they are in the memory of the
    server while it lasts, and nowhere else. ``index``, ``arguments``: see BuildRequest; ``locked``,
    ``platform``: see PlanRequest.
    """

    name: str
    source: Given | None = None
    image: str = ""
    change: Change = Change()
    expect: Literal["", "new", "there"] = ""
    unless_same: bool = False
    quiet: bool = False
    tag: str = ""
    strategy: str = "auto"
    timeout: float = 1800.0
    git_allow: str = ""
    prove: bool = True
    secrets: tuple[Secret, ...] = ()
    index: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    locked: bool = False
    platform: str = ""
    kind: Literal["", "job"] = ""
    execution: dict[str, Any] = {}
    keep: dict[str, Any] = {}
    submit: bool = True
    force: bool = False


class Built(msgspec.Struct, frozen=True):
    """What the build made: an app's or a job's image by id, the port that its plan names, and the commit.

    ``release``: the command that the source wants run before it gets requests. ``processes``: the names and commands of
    what else it wants run, beside what it serves. ``source``: "" for what was asked for.
    ``prove``, where the image of an app is not proven yet: called with the config that it runs by, and with who takes
    what is known only later, it returns None when the image may serve, or what was built in its place and is proven.
    It raises what stands in the way.
    """

    kind: Literal["app", "job"]
    image: str
    port: int | None = None
    commit: str = ""
    prove: Callable[[Config, Callable[[str], None]], Built | None] | None = None
    release: tuple[str, ...] = ()
    source: str = ""
    processes: tuple[tuple[str, tuple[str, ...]], ...] = ()


Emit = Callable[[dict[str, object]], None]


class Task(msgspec.Struct, frozen=True):
    """One build to do: ``labels`` go on the image; ``emit`` takes events; ``cancelled`` ends it early.

    ``network``: the caller is not the person at the keyboard (see sources.Policy). ``place``: the source, for people.
    ``id``: the deployment's, and its build run's. ``config``: how it will be run, but for the port. ``planned`` is told
    what it is as soon as that is known, and raises what stands in the way.
    """

    id: str
    project: str
    request: Request
    source: Given
    place: str
    network: bool
    labels: dict[str, str]
    emit: Emit
    cancelled: threading.Event
    config: Config = Config()
    planned: Callable[[Literal["app", "job"]], None] = lambda kind: None


Build = Callable[[Task], Built]
Prove = Callable[[Config, Callable[[str], None]], Built | None]
