"""Argue one decision: its evidence, how sure it is, what lost, and what would flip it."""

from __future__ import annotations

import json

import msgspec

from s2i.planning import settings
from s2i.planning.explain.quotes import place, quote
from s2i.planning.explain.values import Argument
from s2i.planning.known import Known, decisions
from s2i.planning.plan import BuildPlan, Decision
from s2i.sources import Tree

_SAID_BY_VALUE = ("entry", "kind", "python", "subdir")  # what lost is said in s2i.toml as the decision says it
_SETTINGS = ("s2i.toml", "pyproject.toml")


def arguments(tree: Tree, plan: BuildPlan) -> tuple[Argument, ...]:
    """Return each decision of a plan, argued, in the order in which they were made."""
    known = decisions()
    argued = tuple(argue(tree, decision, known.get(decision.what)) for decision in plan.decisions)
    if plan.dockerfile:  # it is built as it stands: no setting changes it
        return tuple(msgspec.structs.replace(argument, flip="") for argument in argued)
    return argued


def argue(tree: Tree, decision: Decision, known: Known | None) -> Argument:
    """Return one decision, argued; ``known`` is None for one that the table does not have."""
    return Argument(
        what=decision.what,
        asks=known.asks if known else decision.what,
        value=decision.value,
        because=quote(tree, decision.origin),
        strength=decision.strength,
        sure=_sure(decision),
        rejected=decision.rejected,
        flip=_flip(tree, decision, known),
    )


def _sure(decision: Decision) -> str:
    match decision.strength:
        case "strong":
            return ""
        case "weak":
            return "weak: a guess; say it in s2i.toml when it is wrong"
        case "likely" if place(decision.origin) and decision.rejected:
            return "likely: others were possible"
        case "likely":
            return "likely: nothing in the source says which"


def _flip(tree: Tree, decision: Decision, known: Known | None) -> str:
    """Say what has to be written or changed for another answer; "" when there is nothing."""
    at = place(decision.origin)
    if known is None:
        return f"change {decision.origin}" if at and at[0] in tree else ""
    if at and at[0] in _SETTINGS and known.setting in settings.read(tree).values():
        return f"take {known.setting} out of {decision.origin}: s2i then decides by itself"
    for lost in decision.rejected if known.setting in _SAID_BY_VALUE else ():
        works = known.setting != "python" or lost.why.startswith(("the newest", "its base image"))
        if works and settings.fits(known.setting, lost.value):
            return f"{known.setting} = {json.dumps(lost.value, ensure_ascii=False)} in s2i.toml"
    return known.flip
