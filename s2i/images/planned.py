"""Plan for a build: with the base images that can be had at this moment, not with what was last remembered."""

from __future__ import annotations

import functools

from s2i.engines.docker import connection
from s2i.errors import E_BASE, E_PYTHON_VERSION, S2IError
from s2i.images import bases, platforms
from s2i.images.request import DETECTED, PlanRequest
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base, BuildPlan
from s2i.planning.settings import Given
from s2i.sources import Tree

NOWHERE = "no registry answers the engine, and to make one here takes root on Debian or Ubuntu"


def plan(tree: Tree, wanted: PlanRequest = DETECTED, learnt: Given | None = None) -> BuildPlan:
    """Return the plan of ``tree`` for a build on this machine, on images of a registry for another's platform.

    ``learnt`` as for compile.

    Asks the engine what it has, and for a registry only when the answer would change the plan: a base would be
    pulled, or the Python that is asked for is not offered. Raises what compile raises, E_BASE, E_DOCKER.
    """
    from s2i.images.bases import offer

    compiled = functools.partial(compile_plan, tree, strategy=wanted.strategy, learnt=learnt, locked=wanted.locked)
    if wanted.platform and wanted.platform != platforms.of_engine(connection.wire()):
        return compiled(offer.official())  # those made here are for this machine's processor
    offered = bases.refresh() or _asked_again()
    tried = offer.recall().registry
    try:
        made = compiled(offered)
    except S2IError as refusal:
        if refusal.kind is not E_PYTHON_VERSION or tried is not False or not _registry_answers():
            raise
        return compiled(bases.refresh(registry=True))
    if tried is False and any(w.code == "W_PYTHON_ABSENT" for w in made.warnings) and _registry_answers():
        return compiled(bases.refresh(registry=True))
    if made.base is None or made.base.obtain != "pull":
        return made
    answers = _registry_answers()
    offered = bases.refresh(registry=answers)
    if not offered:
        raise E_BASE(python=made.base.python, why=NOWHERE)
    return made if answers else compiled(offered)


def _registry_answers() -> bool:
    from s2i.images.bases import obtain  # which knows how to make bases, too: few builds need it

    return obtain.registry_answers()


def _asked_again() -> tuple[Base, ...]:
    """Return what a registry has, for an engine that has nothing on a machine that can make nothing. Raises E_BASE."""
    from s2i.images.bases import table

    if not _registry_answers():
        raise E_BASE(python=table.defaults()[0], why=NOWHERE)
    return bases.refresh(registry=True)
