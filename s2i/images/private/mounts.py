"""A plan with what it is given in private: secrets mounted into the steps that install, the index by its address."""

from __future__ import annotations

import urllib.parse
from collections.abc import Sequence

import msgspec

from s2i.errors import E_BUILD_ARG, E_EXTRA_INDEX
from s2i.images.request import BuildRequest
from s2i.planning.plan import BuildPlan, Decision, Mount, Run, Step, Words

NETRC = "netrc"
HOME_NETRC = "/root/.netrc"
INDEX, EXTRA = "index", "extra index"  # the decisions of a plan that name what the source does
LEFT_OUT = "left out"  # in place of its address: an index of the source that uv is not told of
FOLDER = "/run/secrets"


def private(plan: BuildPlan, request: BuildRequest) -> BuildPlan:
    """Return ``plan`` with what ``request`` gives in private. Raises E_EXTRA_INDEX, E_BUILD_ARG."""
    if request.arguments and not plan.dockerfile:
        name = request.arguments[0][0]
        why = "the plan is made from the code, and no step of it takes one"
        raise E_BUILD_ARG(name=name, why=why, advice="`--strategy dockerfile` builds a Dockerfile of the source's own")
    return mounted(plan, request.index, tuple(secret.id for secret in request.secrets))


def mounted(plan: BuildPlan, index: str, ids: Sequence[str]) -> BuildPlan:
    """Return ``plan`` with the secrets ``ids`` mounted where it installs, from ``index`` ("" for PyPI).

    A Dockerfile of the source's own says itself where it mounts what. A source that names an index can be given a netrc
    for it. Raises E_EXTRA_INDEX when it names one beside ``index``.
    """
    if plan.dockerfile:
        return plan
    named = [decision for decision in plan.decisions if decision.what in (INDEX, EXTRA)]
    if index:
        _refuse_others(index, named)
    elif lost := next((decision for decision in named if decision.value == LEFT_OUT), None):
        why = "PyPI would be asked for what the source means to have from an index that s2i cannot give to uv"
        advice = "name the index that has all of it by --index-url, or commit a lock with hashes"
        raise E_EXTRA_INDEX(why=why, where=lost.origin, advice=advice)
    mounts = tuple(Mount("secret", HOME_NETRC if name == NETRC else f"{FOLDER}/{name}", id=name) for name in ids)
    if (index or named) and NETRC not in ids:
        mounts = (Mount("secret", HOME_NETRC, id=NETRC), *mounts)
    if not mounts:
        return plan
    return msgspec.structs.replace(plan, steps=tuple(_given(step, index, mounts) for step in plan.steps))


def _refuse_others(index: str, named: Sequence[Decision]) -> None:
    for decision in named:
        # What the source would have instead of PyPI gives way; what it would have beside it could bring anything.
        if decision.what == EXTRA and decision.value.rstrip("/") != index.rstrip("/"):
            why = f"packages come from {index}, and the source adds {decision.value}"
            raise E_EXTRA_INDEX(why=why, where=decision.origin)


def _given(step: Step, index: str, mounts: tuple[Mount, ...]) -> Step:
    if not isinstance(step, Run) or not _installs(step):
        return step
    if not index:
        return msgspec.structs.replace(step, mounts=(*step.mounts, *mounts))
    env = (*step.env, *_index_env(step, index))
    first, *then = map(_without_index, step.commands)
    return msgspec.structs.replace(step, argv=first, then=tuple(then), env=env, mounts=(*step.mounts, *mounts))


def _installs(step: Run) -> bool:
    """Say whether a step gets distributions of Python: it has a cache for them."""
    return step.stage != "runtime" and any(mount.type == "cache" for mount in step.mounts)


def _without_index(words: Words) -> Words:
    """Return a command without the index that the source would have instead of PyPI: options go before variables."""
    if "--default-index" not in words:
        return words
    at = words.index("--default-index")
    return (*words[:at], *words[at + 2 :])


def _index_env(step: Run, index: str) -> tuple[tuple[str, str], ...]:
    """Return the variables by which a step's tool knows the index: uv's, and those of pip or PDM where they run."""
    found = [("UV_DEFAULT_INDEX", index)]
    if step.argv[1:3] == ("-m", "pip"):
        found = [("PIP_INDEX_URL", index)]
        if index.startswith("http://"):
            found.append(("PIP_TRUSTED_HOST", urllib.parse.urlsplit(index).hostname or ""))
    elif any("pdm" in command for command in step.commands):
        found.append(("PDM_PYPI_URL", index))
    return tuple(found)
