"""What the reconcile loop can do, as values: decided by `reconcile`, carried out by `execute`."""

from __future__ import annotations

from typing import Literal

import msgspec

from s2i.engines.engine import Owner, Workload
from s2i.resources.job import Attempt, JobRun, Task, TaskStatus


class StartInstance(msgspec.Struct, frozen=True):
    """Run an instance in its sandbox."""

    work: Workload


class StartSandbox(msgspec.Struct, frozen=True):
    """Run the network of an instance whose image is being built: it takes longer to come up than the instance."""

    work: Workload


class StopInstance(msgspec.Struct, frozen=True):
    """End an instance and its sandbox; no request is under way to it."""

    owner: Owner


class PointRoute(msgspec.Struct, frozen=True):
    """Send the requests of an app to addresses ("ip:port"), each with so many of SLOTS; () to none."""

    project: str
    app: str
    shares: tuple[tuple[str, int], ...]


class SetRoute(msgspec.Struct, frozen=True):
    """Change how requests come to an app that has a route: its settings are others now."""

    project: str
    app: str


class Park(msgspec.Struct, frozen=True):
    """End an instance, and have the next one made, not started, in the same sandbox: a request soon wakes it."""

    work: Workload


class RemoveRoute(msgspec.Struct, frozen=True):
    """Remove the route of a tag that is no more."""

    project: str
    app: str


class EndInstance(msgspec.Struct, frozen=True):
    """End an instance that no longer works, as if it had crashed. ``why``: what its liveness probe saw."""

    owner: Owner
    container: str
    why: str


class MarkServing(msgspec.Struct, frozen=True):
    """Record that a revision has taken over."""

    project: str
    app: str
    number: int


class MarkSettled(msgspec.Struct, frozen=True):
    """Record that the revision that serves stays up: the one before it can go."""

    project: str
    app: str


class MarkReady(msgspec.Struct, frozen=True):
    """Record that a revision could take over, and is not to."""

    project: str
    app: str
    number: int


class Exited(msgspec.Struct, frozen=True):
    """A new revision's process ended: before it served, or soon after it took over."""

    code: int | None
    oom: bool
    served: bool = False


class NeverReady(msgspec.Struct, frozen=True):
    """A new revision runs but was not ready in ``seconds``. ``saw``: what its own probe saw last, "" without one."""

    seconds: float
    saw: str = ""


class NotStarted(msgspec.Struct, frozen=True):
    """The engine could not start a new revision."""

    why: str


class MarkFailed(msgspec.Struct, frozen=True):
    """Record that a revision failed, with the end of its log; the one before it goes on serving."""

    owner: Owner
    container: str
    port: int
    cause: Exited | NeverReady | NotStarted


class ForgetApp(msgspec.Struct, frozen=True):
    """Remove the route and the records of a deleted app, of which nothing runs any more."""

    project: str
    app: str


class StartTask(msgspec.Struct, frozen=True):
    """Run the container of a task's current attempt."""

    work: Workload
    task: Task


class MarkRunning(msgspec.Struct, frozen=True):
    """Record that the current attempt of a task has begun."""

    task: Task
    started: float


class LookAtTask(msgspec.Struct, frozen=True):
    """See whether a task listens for requests, as a server does, and say so."""

    task: Task
    owner: Owner
    container: str


class TellWait(msgspec.Struct, frozen=True):
    """Say for what the tasks of a run wait that could begin otherwise."""

    project: str
    run: str
    why: str


class EndTask(msgspec.Struct, frozen=True):
    """End the current attempt of a task: "timeout" or "cancelled"."""

    task: Task
    owner: Owner
    container: str
    why: Literal["timeout", "cancelled"]


class FinishTask(msgspec.Struct, frozen=True):
    """Keep what an attempt wrote, then record how it ended, and what its task is now."""

    run: JobRun
    task: Task
    container: str
    attempt: Attempt
    status: TaskStatus


class RemoveContainer(msgspec.Struct, frozen=True):
    """Remove a container that nothing wants."""

    owner: Owner
    container: str


Action = (
    StartInstance
    | StartSandbox
    | StopInstance
    | EndInstance
    | Park
    | PointRoute
    | SetRoute
    | RemoveRoute
    | MarkReady
    | MarkServing
    | MarkSettled
    | MarkFailed
    | ForgetApp
    | StartTask
    | MarkRunning
    | LookAtTask
    | TellWait
    | EndTask
    | FinishTask
    | RemoveContainer
)

Lane = tuple[str, ...]


def lane(action: Action) -> Lane:
    """Return what ``action`` holds while it is carried out: two of one lane never run at once.

    Each instance has a lane of its own: one that ignores SIGTERM, or is slow to start, delays nobody.
    """
    match action:
        case StartInstance(work) | StartSandbox(work) | Park(work):
            return ("slot", work.owner.project, work.owner.name, work.owner.instance)
        case StopInstance(owner) | EndInstance(owner):
            return ("slot", owner.project, owner.name, owner.instance)
        case RemoveContainer(_, container):
            return ("end", container)
        case MarkFailed(owner):
            return ("app", owner.project, owner.name)
        case PointRoute(project, app) | SetRoute(project, app) | RemoveRoute(project, app):
            return ("app", project, app)
        case MarkServing(project, app) | MarkReady(project, app) | MarkSettled(project, app) | ForgetApp(project, app):
            return ("app", project, app)
        case StartTask(_, task) | MarkRunning(task) | LookAtTask(task) | EndTask(task) | FinishTask(_, task):
            return ("task", task.project, task.run, str(task.index))
        case TellWait(project, run):
            return ("run", project, run)
