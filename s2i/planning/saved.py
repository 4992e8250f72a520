"""A plan as a file: read as any stranger's file is, and described by a JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec

from s2i.errors import E_PLAN, S2IError
from s2i.planning import buildpack
from s2i.planning.plan import STAGES, Base, BuildPlan, Copy
from s2i.planning.settings import Given
from s2i.sources import Tree

VERSION = 1
LIMIT = 1 << 20  # bytes
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Head(msgspec.Struct, frozen=True):
    version: int
    buildpack: str


def encode(plan: BuildPlan) -> bytes:
    """Return a plan as the JSON that `s2i plan -o json` prints."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def canonical(plan: BuildPlan) -> bytes:
    """Return a plan as it is kept beside its image, and hashed: without what a second build of the source changes.

    How a base was to be had, and what a person was told on the way, are no part of what was built.
    """
    base = msgspec.structs.replace(plan.base, obtain="here") if plan.base else None
    return encode(msgspec.structs.replace(plan, base=base, warnings=()))


def decode(data: bytes, where: str) -> BuildPlan:
    """Return the plan that a file holds; ``where`` is what errors call it. Raises E_PLAN, with the JSON path."""
    if len(data) > LIMIT:
        raise E_PLAN(why=f"it has more than {LIMIT:,} bytes", where=where)
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.version != VERSION:
            why = f"$.version: it is {head.version}, and this s2i reads version {VERSION}"
            raise E_PLAN(why=why, where=where)
        plan = msgspec.json.decode(data, type=BuildPlan)
    except msgspec.MsgspecError as error:
        raise E_PLAN(why=_plain(error), where=where) from None
    except (UnicodeDecodeError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else "it is not UTF-8"
        raise E_PLAN(why=why, where=where) from None
    if problem := _incomplete(plan):
        raise E_PLAN(why=problem, where=where)
    return plan


def is_plan(data: bytes) -> bool:
    """Say whether ``data`` is a plan, of whatever version."""
    try:
        msgspec.json.decode(data, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def check(plan: BuildPlan, tree: Tree, where: str) -> None:
    """Refuse to build ``tree`` by a plan that is not made for it.

    Raises E_PLAN; for a Dockerfile of the source's own what its buildpack raises, as nobody has looked at it yet.
    """
    tree = tree.subtree(plan.subdir) if plan.subdir else tree
    if plan.dockerfile:
        buildpack.load("dockerfile").detect(tree, Given(), ())
    for index, step in enumerate(plan.steps):
        if isinstance(step, Copy) and step.from_stage is None and not step.image:
            for number, path in enumerate(step.sources):
                if not _is_there(tree, path):
                    why = f"$.steps[{index}].sources[{number}]: there is no {path} in the source"
                    raise E_PLAN(why=why, where=where, advice="the source has changed since: make a new plan of it")


def check_base(plan: BuildPlan, offered: tuple[Base, ...], where: str) -> None:
    """Refuse a plan for a base image that is not here, when the same Python is here in another. Raises E_PLAN."""
    here = {base.python: base for base in offered if base.obtain == "here"}
    base, other = plan.base, here.get(plan.python)
    if base and other and base.runtime != other.runtime and all(base.runtime != b.runtime for b in here.values()):
        why = f"$.base: it was made for {base.runtime}, and what is here is {other.runtime}"
        raise E_PLAN(why=why, where=where, advice="make the plan anew on this machine: `s2i plan SRC --save FILE`")


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan."""
    return {"$schema": DIALECT, "title": "A build plan of s2i", **msgspec.json.schema(BuildPlan)}


def refused_word(path: str, word: str, where: str) -> S2IError:
    """Return the error for a word that cannot stand in a Dockerfile."""
    return E_PLAN(why=f'{path}: "{word[:80]}" cannot stand in a Dockerfile', where=where)


def _incomplete(plan: BuildPlan) -> str:
    """Say what a plan of the right types lacks; "" for nothing."""
    if plan.dockerfile:
        return "" if plan.dockerfile == "Dockerfile" else "$.dockerfile: only Dockerfile, at the root, is built"
    for name in ("base", "start", "env", "steps"):
        if not getattr(plan, name):
            return f"$.{name}: there is none"
    before = {step.stage: STAGES.index(step.stage) for step in plan.steps}
    for index, step in enumerate(plan.steps):
        if isinstance(step, Copy) and step.from_stage is not None:
            is_before = before.get(step.from_stage, len(STAGES)) < STAGES.index(step.stage)
            if not is_before:
                return f"$.steps[{index}].from_stage: there is no stage {step.from_stage} before it"
    return ""


def _is_there(tree: Tree, path: str) -> bool:
    bare = path.removeprefix("./").rstrip("/")
    return bare in ("", ".") or bare in tree or next(tree.under(bare), None) is not None


def _plain(error: msgspec.MsgspecError) -> str:
    """Put the JSON path of msgspec's message in front of it."""
    what, _, at = str(error).partition(" - at ")
    at = at.strip("`") or ("$" if isinstance(error, msgspec.ValidationError) else "")
    return f"{at}: {what[0].lower()}{what[1:]}" if at else what
