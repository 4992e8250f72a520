"""Where an image comes from and what made it: an in-toto statement with SLSA provenance. Pure.

https://slsa.dev/spec/v1.0/provenance says what each field means.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import s2i
from s2i.images.carried.labels import sha256
from s2i.planning import saved
from s2i.planning.plan import BuildPlan
from s2i.sources.tree import Origin

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:s2i:build:1"
BUILDER = "urn:s2i:builder"


class Made(NamedTuple):
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


def statement(made: Made) -> dict[str, Any]:
    """Return the provenance of what was made. Holds no secret, no variable of the environment, no local path."""
    digest = _digest(made.image)
    plan, dockerfile = saved.canonical(made.plan), made.dockerfile.encode()
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": {"title": made.title, "source": _source(made), "strategy": made.plan.buildpack},
        "internalParameters": {"sourceDateEpoch": made.epoch, "stepsFromCache": made.cache},
        "resolvedDependencies": [
            *_revision(made.origin),
            *({"name": name, "digest": _digest(base)} for name, base in made.bases),
        ],
    }
    details = {
        "builder": {
            "id": BUILDER,
            "version": {"s2i": s2i.__version__, "client": made.client, "engine": made.engine},
        },
        "metadata": {"startedOn": _stamp(made.began), "finishedOn": _stamp(made.ended)},
        "byproducts": [
            {"name": "plan.json", "digest": {"sha256": sha256(plan)}},
            {"name": "Dockerfile", "digest": {"sha256": sha256(dockerfile)}},
        ],
    }
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": digest} for name in made.tags or (made.title,)],
        "predicateType": PREDICATE,
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def _source(made: Made) -> dict[str, str]:
    origin = made.origin
    parts = {"uri": _uri(origin), "ref": origin.ref, "subdir": made.plan.subdir or origin.subdir}
    return {name: value for name, value in parts.items() if value}


def _revision(origin: Origin) -> tuple[dict[str, Any], ...]:
    if not origin.commit:
        return ()
    named = {"name": "source", "uri": _uri(origin), "digest": {"gitCommit": origin.commit}}
    return ({key: value for key, value in named.items() if value},)


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


def _stamp(epoch: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
