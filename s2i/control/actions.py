"""What the reconcile loop can do, as values: decided by `reconcile`, carried out by `execute`."""

from __future__ import annotations

import msgspec

from s2i.engines.engine import Owner, Workload
from s2i.resources.job import JobRun


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
    """Send all requests of an app to one address ("ip:port"); to none when ``address`` is ""."""

    project: str
    app: str
    address: str


class MarkServing(msgspec.Struct, frozen=True):
    """Record that a revision has taken over."""

    project: str
    app: str
    number: int


class Exited(msgspec.Struct, frozen=True):
    """A new revision's process ended before it served."""

    code: int | None
    oom: bool


class NeverReady(msgspec.Struct, frozen=True):
    """A new revision runs but gave no HTTP answer in ``seconds``."""

    seconds: float


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
    """Run a job run's container."""

    work: Workload


class MarkRunning(msgspec.Struct, frozen=True):
    """Record that a job run has begun."""

    run: JobRun
    started: float


class FinishTask(msgspec.Struct, frozen=True):
    """Save a job run's log, then record how it ended."""

    run: JobRun
    container: str
    exit: int | None
    reason: str
    started: float = 0.0  # as the engine says to the fraction; 0: unknown
    finished: float = 0.0


class RemoveContainer(msgspec.Struct, frozen=True):
    """Remove a container that nothing wants."""

    owner: Owner
    container: str


Action = (
    StartInstance
    | StartSandbox
    | StopInstance
    | PointRoute
    | MarkServing
    | MarkFailed
    | ForgetApp
    | StartTask
    | MarkRunning
    | FinishTask
    | RemoveContainer
)

Lane = tuple[str, ...]


def lane(action: Action) -> Lane:
    """Return what ``action`` holds while it is carried out: two of one lane never run at once.

    Endings have a lane of their own: an app that ignores SIGTERM delays nobody.
    """
    match action:
        case StopInstance(owner):
            return ("end", owner.project, owner.kind, owner.name, owner.instance, owner.run)
        case RemoveContainer(_, container):
            return ("end", container)
        case StartInstance(work) | StartSandbox(work):
            return ("app", work.owner.project, work.owner.name)
        case MarkFailed(owner):
            return ("app", owner.project, owner.name)
        case PointRoute(project, app) | MarkServing(project, app) | ForgetApp(project, app):
            return ("app", project, app)
        case StartTask(work):
            return ("run", work.owner.project, work.owner.run)
        case MarkRunning(run) | FinishTask(run):
            return ("run", run.project, run.name)
