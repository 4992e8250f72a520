"""From a source to an image: fetch, plan, build, told step by step."""

from __future__ import annotations

import functools
import os

import msgspec

from s2i import sources
from s2i.control.deploy import Built, Task
from s2i.errors import E_CANCELLED
from s2i.images import again, limits, planned
from s2i.images import build as images
from s2i.images.events import StepEvent
from s2i.images.request import BuildRequest
from s2i.images.runs.wire import Wire
from s2i.planning.plan import BuildPlan
from s2i.sources.commit import with_commit


def build(task: Task) -> Built:
    """Build what ``task`` asks for. Raises whatever stands in a stage's way, E_CANCELLED when it is told to end."""
    request = task.request
    allow = ",".join((os.environ.get(sources.ALLOW, ""), request.git_allow))
    policy = sources.Policy.of({sources.ALLOW: allow}, network=task.network)
    task.emit({"type": "stage", "name": "fetch", "text": task.place})
    with sources.fetch(request.source, policy=policy, cancelled=task.cancelled) as found:
        tree = with_commit(found)
        wanted = BuildRequest(
            title=request.name,
            owner=request.name,
            strategy=request.strategy,
            labels=tuple(task.labels.items()),
            namespace=task.project,
            timeout=request.timeout,
            project=task.project,
            run=task.id,
            limits=limits.parse(None, None, os.environ),
        )
        if made := again.recall(tree, wanted):
            _tell(task, made.plan)
            task.emit({"type": "stage", "name": "built", "text": "nothing has changed since the last build"})
            image = again.give(made, wanted)
            return Built("job" if made.plan.kind == "job" else "app", image.id, made.plan.port, tree.origin.commit)
        plan = planned.plan(tree, request.strategy)
        _tell(task, plan)
        if task.cancelled.is_set():
            raise E_CANCELLED(doing="it was being planned")
        task.emit({"type": "buildrun", "id": task.id})
        image = images.build(
            tree,
            plan,
            wanted,
            on_event=functools.partial(_passed, task, Wire()),
            on_notice=lambda notice: task.emit({"type": "notice", **msgspec.to_builtins(notice)}),
            cancelled=task.cancelled,
        )
    size = f"{image.size / 1e6:.0f} MB in {image.seconds:.1f} s"
    task.emit({"type": "stage", "name": "built", "text": size})
    return Built("job" if plan.kind == "job" else "app", image.id, plan.port, tree.origin.commit)


def _passed(task: Task, wire: Wire, event: StepEvent) -> None:
    # How far a step has come is for a display, not for a journal that is kept.
    if event.status != "progress":
        task.emit(wire.step(event))


def _tell(task: Task, plan: BuildPlan) -> None:
    parts = (f"{plan.kind} ({plan.framework})", plan.entry, f"Python {plan.python}" if plan.python else "")
    task.emit({"type": "stage", "name": "plan", "text": ", ".join(filter(None, parts))})
    for notice in plan.warnings:
        task.emit({"type": "notice", **msgspec.to_builtins(notice)})
