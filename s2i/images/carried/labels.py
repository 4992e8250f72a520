"""The labels of an image: where it comes from and what made it. The same source, built twice, gets the same."""

from __future__ import annotations

import hashlib
import time

import s2i
from s2i.planning import saved, stages
from s2i.planning.plan import BuildPlan
from s2i.resources import labels
from s2i.sources.tree import Origin

OCI = "org.opencontainers.image."


def described(origin: Origin, title: str, plan: BuildPlan, dockerfile: str, bases: dict[str, str]) -> dict[str, str]:
    """Return the labels of an image: org.opencontainers.image.* as far as they are known, and s2i's own.

    ``bases``: the digest, or else the id, of each image that ``dockerfile`` starts from.
    """
    # The time of the commit, not of the build: the same source gives the same image.
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(origin.time)) if origin.time else ""
    base = stages.foundation(dockerfile)
    known = {
        "title": title,
        # A folder's path says something about this machine and nothing to anybody else.
        "source": origin.place if origin.kind == "git" else "",
        "revision": origin.commit,
        "version": origin.ref,
        "created": stamp,
        "base.name": base,
        "base.digest": bases.get(base, ""),
    }
    # An image inherits the labels of its base, which speak of the base: what is not known is then said to be empty.
    inherits = plan.base is None
    named = {f"{OCI}{name}": value for name, value in known.items() if value or inherits}
    return {**named, labels.PLAN: plan_hash(plan), labels.VERSION: s2i.__version__}


def plan_hash(plan: BuildPlan) -> str:
    """Return the sha256 (hex) of a plan as it is kept beside its image."""
    return sha256(saved.canonical(plan))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
