"""Where an image comes from and what made it: an in-toto statement with SLSA provenance. Pure.

https://slsa.dev/spec/v1.0/provenance says what each field means.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

import s2i
from s2i.images.carried.labels import sha256
from s2i.planning import saved
from s2i.planning.plan import BuildPlan
from s2i.sources.tree import Origin

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:s2i:build:1"
BUILDER = "urn:s2i:builder"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One finished build. ``image`` is ``sha256:...``; ``bases`` the digest of each image that it started from.

    ``client`` and ``engine`` are for people ("buildx 0.29.1"); ``began`` and ``ended`` in epoch seconds; ``epoch`` the
    time that the files of the source were given.
    """

    image: str
    title: str
    tags: tuple[str, ...]
    plan: BuildPlan
    dockerfile: str
    origin: Origin
    bases: tuple[tuple[str, str], ...]
    client: str
    engine: str
    began: float
    ended: float
    epoch: int
    cache: bool = True


class _Camel(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class Artifact(_Camel, frozen=True):
    """A thing by name or address, and its digest by algorithm."""

    name: str = ""
    uri: str = ""
    digest: dict[str, str] = {}


class Definition(_Camel, frozen=True):
    """What was asked for, what the builder added to it, and what it used."""

    build_type: str
    external_parameters: dict[str, Any]
    internal_parameters: dict[str, Any] = {}
    resolved_dependencies: tuple[Artifact, ...] = ()


class Builder(_Camel, frozen=True):
    """Who built."""

    id: str
    version: dict[str, str] = {}


class Times(_Camel, frozen=True):
    """When it was built."""

    started_on: str = ""
    finished_on: str = ""


class Details(_Camel, frozen=True):
    """Who built, when, and what came out beside the image."""

    builder: Builder
    metadata: Times = Times()
    byproducts: tuple[Artifact, ...] = ()


class Predicate(_Camel, frozen=True):
    """SLSA's two halves: what was built, and how it was run."""

    build_definition: Definition
    run_details: Details


class Statement(msgspec.Struct, frozen=True, rename="camel"):
    """An in-toto statement: ``predicate`` is said of ``subject``, the image under each of its names."""

    type: str = msgspec.field(name="_type")
    subject: tuple[Artifact, ...]
    predicate_type: str
    predicate: Predicate


def statement(made: Made) -> Statement:
    """Return the provenance of what was made. Holds no secret, no variable of the environment, no local path."""
    digest = _digest(made.image)
    names = made.tags or (made.title,)
    plan, dockerfile = _hash(saved.canonical(made.plan)), _hash(made.dockerfile.encode())
    definition = Definition(
        build_type=BUILD_TYPE,
        external_parameters={"title": made.title, "source": _source(made), "strategy": made.plan.buildpack},
        internal_parameters={"sourceDateEpoch": made.epoch, "stepsFromCache": made.cache},
        resolved_dependencies=(*_revision(made.origin), *(Artifact(n, digest=_digest(d)) for n, d in made.bases)),
    )
    details = Details(
        builder=Builder(BUILDER, {"s2i": s2i.__version__, "client": made.client, "engine": made.engine}),
        metadata=Times(_stamp(made.began), _stamp(made.ended)),
        byproducts=(Artifact("plan.json", digest=plan), Artifact("Dockerfile", digest=dockerfile)),
    )
    subject = tuple(Artifact(name, digest=digest) for name in names)
    return Statement(STATEMENT, subject, PREDICATE, Predicate(definition, details))


def _source(made: Made) -> dict[str, str]:
    origin = made.origin
    parts = {"uri": _uri(origin), "ref": origin.ref, "subdir": made.plan.subdir or origin.subdir}
    return {name: value for name, value in parts.items() if value}


def _revision(origin: Origin) -> tuple[Artifact, ...]:
    return (Artifact("source", _uri(origin), {"gitCommit": origin.commit}),) if origin.commit else ()


def _uri(origin: Origin) -> str:
    """Return the address of a repository; "" for a folder, whose path says something about this machine alone."""
    if origin.kind != "git":
        return ""
    if "://" in origin.place:
        return f"git+{origin.place}"
    host, _, path = origin.place.partition(":")
    return f"git+ssh://{host}/{path.lstrip('/')}"


def _digest(value: str) -> dict[str, str]:
    algorithm, _, digest = value.rpartition(":")
    return {algorithm: digest} if algorithm else {}


def _hash(data: bytes) -> dict[str, str]:
    return {"sha256": sha256(data)}


def _stamp(epoch: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
