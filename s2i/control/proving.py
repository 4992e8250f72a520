"""Prove what a deployment has built, as it will be run: no traffic before that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from s2i.control.task import Built, Task
from s2i.engines.engine import Owner
from s2i.images.prove import Proof, line, notices, outcome, prove
from s2i.planning.plan import BuildPlan
from s2i.resources import labels
from s2i.resources.app import Config

Late = Callable[[str], None]  # takes what a person should know and nobody waited for


def proven(
    task: Task, built: Built, plan: BuildPlan, config: Config, late: Late, replan: Callable[[Proof], Any | None]
) -> Built | None:
    """Return None when the image may serve, or what was built in its place by what its proof has shown, and is proven.

    ``replan`` plans and builds again: (Built, BuildPlan), or None where that cannot be. Raises E_PROOF, E_CANCELLED,
    E_DOCKER and its kin, and what building raises.
    """
    better: tuple[Built, BuildPlan] | None = outcome.settle(_proof(task, built, plan, config, late), replan)
    if better is None:
        return None
    made, plan = better
    outcome.settle(_proof(task, made, plan, config, late))
    return made


def _proof(task: Task, built: Built, plan: BuildPlan, config: Config, late: Late) -> Proof:
    def ended(proof: Proof) -> None:
        for notice in notices(proof):
            late(f"{notice.message} ({notice.code})")

    made = prove(
        built.image,
        plan,
        config,
        owner=Owner(task.project, built.kind, task.request.name, instance="proof"),
        server=task.labels.get(labels.SERVER, ""),
        ended=ended,
        cancelled=task.cancelled,
        slow=lambda text: task.emit({"type": "stage", "name": "prove", "text": text}),
    )
    said = ["this image is proven already"] if made.known else [line(check) for check in made.checks]
    for text in said:
        task.emit({"type": "stage", "name": "prove", "text": text})
    for notice in notices(made):
        task.emit({"type": "notice", **msgspec.to_builtins(notice)})
    return made
