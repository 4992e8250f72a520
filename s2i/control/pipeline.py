"""From a source to an image: fetch, plan, build, prove, told step by step."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import msgspec

from s2i import sources
from s2i.control.task import Built, Task
from s2i.crash import around
from s2i.errors import E_CANCELLED
from s2i.images import again, limits, planned, platforms
from s2i.images import build as images
from s2i.images.events import Image, StepEvent
from s2i.images.request import BuildRequest, PlanRequest
from s2i.images.runs.wire import Wire
from s2i.planning.plan import BuildPlan
from s2i.resources.app import Config
from s2i.sources.commit import with_commit

if TYPE_CHECKING:
    from s2i.images.prove import Proof

RELEASE = "release"  # the process of a Procfile that is run before its new code gets requests


def build(task: Task) -> Built:
    """Build what ``task`` asks for. Raises whatever stands in a stage's way, E_CANCELLED when it is told to end."""
    task.emit({"type": "stage", "name": "fetch", "text": task.place})
    with _fetched(task) as tree:
        again = _again(task, tree)
        if again is None:
            with around("plan"):
                plan = planned.plan(tree, _planning(task))
            task.planned("job" if task.request.kind == "job" else _kind(plan))
            again = _image(task, tree, plan)
        built, plan = again
    if task.request.kind == "job":
        built, plan = msgspec.structs.replace(built, kind="job"), msgspec.structs.replace(plan, kind="job")
    if not task.request.prove:
        return built
    prove = functools.partial(_prove, task, built, plan)
    if built.kind == "app":
        return msgspec.structs.replace(built, prove=prove)
    prove(task.config, lambda text: None)
    return built


def _prove(task: Task, built: Built, plan: BuildPlan, config: Config, late: Callable[[str], None]) -> Built | None:
    from s2i.control import proving  # a server that builds nothing needs none of it
    from s2i.images.prove.outcome import replanned

    def replan(proof: Proof) -> tuple[Built, BuildPlan] | None:
        with _fetched(task) as tree:
            better = replanned(tree, plan, proof, _planning(task))
            if better is None:
                return None
            task.emit({"type": "stage", "name": "prove", "text": f"{proof.why}: planned again"})
            return _image(task, tree, better)

    return proving.proven(task, built, plan, config, late, replan)


@contextlib.contextmanager
def _fetched(task: Task) -> Iterator[sources.Tree]:
    allow = ",".join((os.environ.get(sources.ALLOW, ""), task.request.git_allow))
    policy = sources.Policy.of({sources.ALLOW: allow}, network=task.network)
    with contextlib.ExitStack() as stack:
        with around("fetch"):
            fetched = sources.fetch(task.source, policy=policy, cancelled=task.cancelled)
            found = with_commit(stack.enter_context(fetched))
        yield found


def _planning(task: Task) -> PlanRequest:
    request = task.request
    return PlanRequest(request.strategy, request.locked, platforms.parse(request.platform) if request.platform else "")


def _wanted(task: Task) -> BuildRequest:
    request = task.request
    return BuildRequest(
        title=request.name,
        owner=request.name,
        planning=_planning(task),
        labels=tuple(task.labels.items()),
        secrets=request.secrets,
        index=request.index,
        arguments=request.arguments,
        namespace=task.project,
        timeout=request.timeout,
        project=task.project,
        run=task.id,
        limits=limits.parse(None, None, os.environ),
    )


def _again(task: Task, tree: sources.Tree) -> tuple[Built, BuildPlan] | None:
    """Return the image of the same source that is there already, None when there is none."""
    made = again.recall(tree, _wanted(task))
    if made is None:
        return None
    _tell(task, made.plan)
    task.emit({"type": "stage", "name": "built", "text": "nothing has changed since the last build"})
    return _built(made.plan, again.give(made, _wanted(task)), tree), made.plan


def _image(task: Task, tree: sources.Tree, plan: BuildPlan) -> tuple[Built, BuildPlan]:
    _tell(task, plan)
    if task.cancelled.is_set():
        raise E_CANCELLED(doing="it was being planned")
    task.emit({"type": "buildrun", "id": task.id})
    with around("build"):
        image = images.build(
            tree,
            plan,
            _wanted(task),
            on_event=functools.partial(_passed, task, Wire()),
            on_notice=lambda notice: task.emit({"type": "notice", **msgspec.to_builtins(notice)}),
            cancelled=task.cancelled,
        )
    size = f"{image.size / 1e6:.0f} MB in {image.seconds:.1f} s"
    task.emit({"type": "stage", "name": "built", "text": size})
    return _built(plan, image, tree), plan


def _built(plan: BuildPlan, image: Image, tree: sources.Tree) -> Built:
    release = next((one.start for one in plan.processes if one.name == RELEASE), ())
    others = tuple((one.name, one.start) for one in plan.processes if one.name != RELEASE)
    return Built(_kind(plan), image.id, plan.port, tree.origin.commit, release=release, processes=others)


def _kind(plan: BuildPlan) -> Literal["app", "job"]:
    return "job" if plan.kind == "job" else "app"


def _passed(task: Task, wire: Wire, event: StepEvent) -> None:
    # How far a step has come is for a display, not for a journal that is kept.
    if event.status != "progress":
        task.emit(wire.step(event))


def _tell(task: Task, plan: BuildPlan) -> None:
    parts = (f"{plan.kind} ({plan.framework})", plan.entry, f"Python {plan.python}" if plan.python else "")
    task.emit({"type": "stage", "name": "plan", "text": ", ".join(filter(None, parts))})
    for notice in plan.warnings:
        task.emit({"type": "notice", **msgspec.to_builtins(notice)})
