"""`s2i build --prove`: the image gets its name only when it does what the platform needs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from s2i.cli.eventlines import EventLines
from s2i.cli.progress import Progress
from s2i.engines.docker import connection
from s2i.engines.engine import Owner
from s2i.errors import E_PROOF, S2IError
from s2i.images import admission
from s2i.images.events import Image
from s2i.images.prove import Proof, line, notices, outcome, prove
from s2i.planning.plan import BuildPlan
from s2i.resources.app import Config
from s2i.sources import Notice
from s2i.wire import Refused

Build = Callable[[BuildPlan], Image]


class Proven(NamedTuple):
    """An image that is proven, the plan that it was built by in the end, and the proof."""

    image: Image
    plan: BuildPlan
    proof: Proof


def proven(
    built: Image,
    plan: BuildPlan,
    config: Config,
    *,
    tags: tuple[str, ...],
    build: Build,
    replan: Callable[[BuildPlan, Proof], BuildPlan | None],
    progress: Progress | EventLines,
    noticed: Callable[[Notice], None],
) -> Proven:
    """Prove an image that has no name yet; build once more where the proof shows how to plan; name what is proven.

    Raises E_PROOF: then no tag has moved, and the image is kept without a name.
    """
    proof = _proof(built, plan, config, progress)
    try:
        better = outcome.settle(proof, lambda seen: replan(plan, seen))
        if better is not None:
            progress.say(f"prove  {proof.why}: planned again", style="yellow")
            wrong, built, plan = built.id, build(better), better
            with contextlib.suppress(Refused):  # somebody uses it already
                connection.wire().delete(f"/images/{wrong}")
            proof = _proof(built, plan, config, progress)
            outcome.settle(proof)
    except S2IError as error:
        if error.kind is E_PROOF:
            progress.say(f"kept   {built.id}, without a name: no tag has moved")
        raise
    for notice in notices(proof):
        noticed(notice)
    admission.name(connection.wire(), built.id, tags)
    progress.say(f"{'proven' if proof.proven else 'named'} as {', '.join(tags)}", style="bold green")
    return Proven(msgspec.structs.replace(built, tags=tags), plan, proof)


def _proof(image: Image, plan: BuildPlan, config: Config, progress: Progress | EventLines) -> Proof:
    config = msgspec.structs.replace(config, port=plan.port or config.port)
    owner = Owner("", "job" if plan.kind == "job" else "app", "proof")
    made = prove(image.id, plan, config, owner=owner, slow=lambda text: progress.say(f"prove  {text}"))
    if made.known:
        progress.say("prove  this image is proven already")
    for check in () if made.known else made.checks:
        progress.say(f"prove  {line(check)}", style="" if check.ok else "red")
    return made
