"""The compiler: a Tree and what the engine offers in, a BuildPlan out."""

from __future__ import annotations

import msgspec

from s2i.errors import E_NO_ENTRY, E_NOT_PYTHON, E_UNSUPPORTED, E_VALUE, S2IError
from s2i.planning import buildpack, settings
from s2i.planning.plan import Base, BuildPlan, Decision, Rejected
from s2i.sources import Notice, Tree

# Refusals that mean "not mine": the next buildpack may fit. Any other is an answer about this very source.
_NOT_MINE = (E_NOT_PYTHON, E_NO_ENTRY, E_UNSUPPORTED)


def compile(tree: Tree, offered: tuple[Base, ...], strategy: str = "auto") -> BuildPlan:  # noqa: A001
    """Return the plan of a source; ``strategy`` is "auto" or the name of a buildpack.

    Raises the refusal of the first buildpack when none fits (exit 4), or what is wrong with a file (exit 3).
    """
    given = settings.read(tree)
    names = buildpack.names()
    if strategy != "auto":
        if strategy not in names:
            raise E_VALUE(what="strategy", value=strategy, why=f"there are auto, {', '.join(names)}", command="plan")
        names = (strategy,)
    refusals: list[S2IError] = []
    for name in names:
        pack = buildpack.load(name)
        try:
            found = pack.detect(tree, given, offered)
        except S2IError as refusal:
            if refusal.kind not in _NOT_MINE:
                raise
            refusals.append(refusal)
            continue
        later = names[names.index(name) + 1 :]
        notices = tuple(notice for other in later for notice in buildpack.load(other).passed_over(tree))
        return _finished(pack.plan(tree, found), tree, notices, strategy, names, refusals)
    raise refusals[0]


def _finished(
    plan: BuildPlan,
    tree: Tree,
    notices: tuple[Notice, ...],
    strategy: str,
    names: tuple[str, ...],
    refusals: list[S2IError],
) -> BuildPlan:
    """Put the choice of the buildpack in front of the decisions, and what the tree had to say behind the warnings."""
    lost = tuple(Rejected(name, str(refusal)) for name, refusal in zip(names, refusals, strict=False))
    origin = "--strategy" if strategy != "auto" else "nothing else fits" if lost else "the first that fits"
    chosen = Decision("buildpack", plan.buildpack, origin, "strong", lost)
    return msgspec.structs.replace(
        plan,
        decisions=(chosen, *plan.decisions),
        warnings=(*tree.notices, *plan.warnings, *notices, *_base(plan.base)),
    )


def _base(base: Base | None) -> tuple[Notice, ...]:
    if base is None or base.obtain != "make":
        return ()
    text = f"the base image of Python {base.python} is not here yet: the build makes it first, in about a minute"
    return (Notice("W_BASE", text),)
