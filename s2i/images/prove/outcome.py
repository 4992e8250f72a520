"""What comes of a proof: the image may go on, it is planned again by what was learnt, or it has failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from s2i.errors import E_PROOF, S2IError
from s2i.images import planned
from s2i.images.prove import judge
from s2i.images.prove.proof import Found, Proof
from s2i.images.request import DETECTED, PlanRequest
from s2i.planning import settings
from s2i.planning.plan import BuildPlan, Rejected
from s2i.planning.settings import Given, Settings
from s2i.sources import Notice, Tree

ORIGIN = "proof"

T = TypeVar("T")


def settle(proof: Proof, again: Callable[[Proof], T | None] | None = None) -> T | None:
    """Return None when the image may go on, or what ``again`` makes of a proof that says how to plan it better.

    Raises E_PROOF.
    """
    if proof.cause in ("", "outside"):
        return None
    better = again(proof) if again and proof.cause == "callable" else None
    if better is None:
        raise failure(proof)
    return better


def failure(proof: Proof) -> S2IError:
    """Return a proof that failed as an error."""
    return E_PROOF(where=proof.where, advice=proof.advice, why=proof.why, log=proof.log)


def replanned(tree: Tree, plan: BuildPlan, proof: Proof, wanted: PlanRequest = DETECTED) -> BuildPlan | None:
    """Return the plan with what the proof has shown; None where that cannot be, or a person has set it otherwise."""
    found = proof.seen.found if proof.seen else None
    given = learnt(plan, found) if found else None
    if given is None or found is None or _is_set(tree, plan, given.settings):
        return None
    try:
        made = planned.plan(tree, wanted, given)
    except S2IError:
        return None
    if (made.entry, made.kind) == (plan.entry, plan.kind):
        return None
    why = judge.contradiction(plan, found)
    before = {"entry": plan.entry, "kind": plan.kind}
    decisions = tuple(
        msgspec.structs.replace(one, rejected=(*one.rejected, Rejected(before[one.what], why, ORIGIN)))
        if one.origin == ORIGIN and before.get(one.what) not in (None, one.value)
        else one
        for one in made.decisions
    )
    kind = f'kind = "{made.kind}"'
    lines = kind if made.entry == plan.entry else f'entry = "{made.entry}" and {kind}'
    notice = Notice("W_REPLANNED", f"{why}; {lines} in s2i.toml spares the second build", proof.where)
    return msgspec.structs.replace(made, decisions=decisions, warnings=(*made.warnings, notice))


def learnt(plan: BuildPlan, found: Found) -> Given | None:
    """Return what the import has shown, as settings of entry and kind; None when that is not sure."""
    plain = plan.entry.removesuffix("()")
    entry, kind = plain, str(found.kind)
    match found.shape:
        case "wsgi" | "asgi":
            pass
        case "factory" if found.kind:
            entry = f"{plain}()"
        case "missing" | "value":
            one = _only(found)
            if one is None:
                return None
            name, shape = one
            module = plain.partition(":")[0]
            entry, kind = (f"{module}:{name}()", "") if shape == "factory" else (f"{module}:{name}", shape)
        case _:
            return None
    if not settings.fits("entry", entry) or kind not in ("", "wsgi", "asgi"):
        return None
    places = dict.fromkeys(("entry", "kind"), ORIGIN)
    subdir = next((d.origin for d in plan.decisions if d.what == "subdir"), ORIGIN)
    made = msgspec.convert({"entry": entry, "kind": kind, "subdir": plan.subdir}, Settings)
    return Given(made, ORIGIN, {**places, "subdir": subdir}, seen=True)


def _only(found: Found) -> tuple[str, str] | None:
    """Return the one name that can be meant: the only application, else the only one that is made already."""
    if len(found.names) == 1:
        return found.names[0]
    made = [one for one in found.names if one[1] != "factory"]
    return made[0] if len(made) == 1 else None


def _is_set(tree: Tree, plan: BuildPlan, wanted: Settings) -> bool:
    """Say whether somebody has written down another entry or kind, or a whole command: that is not overruled."""
    here = settings.read(tree)
    given = here.within(settings.read(tree.subtree(plan.subdir))).settings if plan.subdir else here.settings
    other_entry = given.entry not in ("", wanted.entry)
    return bool(given.start or other_entry or given.kind not in ("", wanted.kind))
