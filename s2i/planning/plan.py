"""The build plan: everything about an image as data, with the decision behind each part.

``BuildPlan`` as JSON is a contract (``s2i plan -o json``). Nothing here knows Docker.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from s2i.sources import Notice

Strength = Literal["strong", "likely", "weak"]
AppKind = Literal["wsgi", "asgi", "http", "job", "static"]
# In the order of the Dockerfile. "tools" has what the others start from, "resolve" finds exact versions; "heavy",
# "build" and "project" add to the environment, each to the one before it: what each adds is a layer of the image. The
# plainest plan has "build" and "runtime" alone.
Stage = Literal["tools", "resolve", "heavy", "build", "project", "runtime"]
STAGES: tuple[Stage, ...] = ("tools", "resolve", "heavy", "build", "project", "runtime")
Words = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class Rejected(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A value that was considered and lost, and why; ``origin`` is where it was seen, when it was somewhere."""

    value: str
    why: str
    origin: str = ""


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One choice: ``what`` was chosen, from ``origin`` (``file:line``, or the rule's name), how sure, what lost."""

    what: str
    value: str
    origin: str
    strength: Strength = "strong"
    rejected: tuple[Rejected, ...] = ()


class Base(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pair of base images with one Python: ``build`` has uv and compilers' room, ``runtime`` is small.

    ``python`` is "3.13"; ``interpreter`` the path of python3 in both.
    """

    python: str
    build: str
    runtime: str
    interpreter: str = "/usr/local/bin/python3"
    uv: bool = False  # whether ``build`` carries uv already
    obtain: Literal["here", "pull", "make"] = "here"  # what a build has to do first: "make" takes minutes


class Mount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A BuildKit mount of one step: a ``cache`` by id, a ``secret`` by id, or a ``bind`` of a source path."""

    type: Literal["cache", "secret", "bind"]
    target: str
    id: str = ""
    source: str = ""
    required: bool = False
    locked: bool = False  # a cache that one step at a time may use


class Run(msgspec.Struct, frozen=True, tag="run", forbid_unknown_fields=True):
    """Run ``argv`` in ``stage``; ``env`` holds for this step only. ``why`` is shown beside its progress.

    ``then`` are further commands of the same layer, each run only when all before it went well.
    """

    stage: Stage
    why: str
    argv: Words
    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    then: tuple[Words, ...] = ()

    @property
    def commands(self) -> tuple[Words, ...]:
        """All commands, in order."""
        return (self.argv, *self.then)


class Copy(msgspec.Struct, frozen=True, tag="copy", forbid_unknown_fields=True):
    """Copy ``sources`` to ``to``: from the source tree, from an earlier stage (``from_stage``) or from an ``image``."""

    stage: Stage
    why: str
    sources: Words
    to: str
    from_stage: Stage | None = None
    image: str = ""


Step = Run | Copy


class Process(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another program of the same image: a worker, or what runs once before a release; ``origin`` says where from."""

    name: str
    start: Words
    origin: str


class BuildPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that is needed to build and run one source."""

    version: Literal[1] = 1
    buildpack: str
    kind: AppKind
    framework: str
    manager: str  # "requirements.txt" | "uv" | "pyproject" | "none" ...
    python: str
    entry: str  # "module:attribute", "module:factory()", or the script's path
    start: tuple[str, ...]
    port: Port | None = 8080
    base: Base | None = None
    env: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = ()
    decisions: tuple[Decision, ...] = ()
    warnings: tuple[Notice, ...] = ()
    subdir: str = ""  # the folder of the source that is built, when that is not all of it
    workdir: str = ""  # where the program starts, when that is not the root of the source
    processes: tuple[Process, ...] = ()
    dockerfile: str = ""  # the user's own Dockerfile (its path), when that is what is built


def stages(plan: BuildPlan) -> tuple[tuple[Stage, Stage | None], ...]:
    """Return the stages that a plan has steps for, in order, each with the stage it starts from (None: a base image).

    The runtime stage is always there.
    """
    used = {step.stage for step in plan.steps}
    found: list[tuple[Stage, Stage | None]] = []
    below: Stage | None = None
    for stage in STAGES[:-1]:
        if stage in used:
            found.append((stage, below))
            # Nothing starts from "resolve": what is installed follows from the files it writes, not from how they came.
            below = below if stage == "resolve" else stage
    return (*found, ("runtime", None))
