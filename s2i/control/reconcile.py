"""From what is wanted and what is seen to what has to be done. Pure: no clock, no engine, no store."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from s2i.control.actions import (
    Action,
    Exited,
    FinishTask,
    ForgetApp,
    MarkFailed,
    MarkRunning,
    MarkServing,
    NeverReady,
    NotStarted,
    PointRoute,
    RemoveContainer,
    StartInstance,
    StartSandbox,
    StartTask,
    StopInstance,
)
from s2i.control.watch import Note, Seen, Slot, group, slot
from s2i.engines.engine import Observed, Owner, Workload
from s2i.resources.app import App, Revision
from s2i.resources.job import JobRun

READY_SECONDS = 60.0  # a new revision must answer within
ENGINE_DEATHS = 3  # that many a new revision outlives
DRAIN_SECONDS = 30.0  # an old one is stopped after this, whatever requests it still holds


class Wanted(msgspec.Struct, frozen=True):
    """What the store asks for: the apps, the revisions that each serves or is to serve, the runs not yet ended.

    ``coming``: the instances of the revisions that are being built, under the numbers that they will have.
    """

    apps: tuple[App, ...] = ()
    revisions: tuple[Revision, ...] = ()
    runs: tuple[JobRun, ...] = ()
    coming: tuple[Workload, ...] = ()


class _Place(msgspec.Struct, frozen=True):
    """A revision's slot as it is: ``address`` of a running sandbox, the instance, what is remembered.

    ``held``: it may get no traffic yet.
    """

    work: Workload
    address: str
    sandbox: Observed | None
    instance: Observed | None
    note: Note
    answers: bool
    held: bool = False

    @property
    def alive(self) -> bool:
        return bool(self.address) and self.instance is not None and self.instance.state == "running"


def reconcile(wanted: Wanted, seen: Seen, notes: Mapping[Slot, Note], now: float) -> tuple[Action, ...]:
    """Return what has to be done now. ``now`` is monotonic, as the notes' times are."""
    slots = group(seen.containers)
    actions: list[Action] = []
    claimed: set[Slot] = set()
    for app in wanted.apps:
        places = {} if app.deleting else _places(app, wanted, seen, slots, notes)
        claimed.update(slot(place.work.owner) for place in places.values())
        if app.deleting:
            actions += _deleted(app, seen, slots)
        else:
            actions += _app(app, places, seen, now)
    for work in wanted.coming:
        claimed.add(slot(work.owner))
        sandbox, _ = slots.get(slot(work.owner), (None, None))
        if not (sandbox and sandbox.address):
            actions.append(StartSandbox(work))
    shares = {address for each in seen.shares.values() for address in each}
    for key, (sandbox, instance) in slots.items():
        if key not in claimed:
            actions += _unwanted(sandbox, instance, notes.get(key, Note()), shares, now)
    return (*actions, *_runs(wanted.runs, seen))


def instance_of(revision: Revision) -> Workload:
    """Return the one instance of ``revision``."""
    name = f"r{revision.number}-0"
    owner = Owner(revision.project, "app", revision.app, number=revision.number, instance=name)
    return Workload(owner, revision.image, revision.config)


def successor_of(revision: Revision) -> Workload:
    """Return the instance of what comes after ``revision``: where it will run is known, which image is not."""
    return instance_of(msgspec.structs.replace(revision, number=revision.number + 1))


def task_of(run: JobRun) -> Workload:
    """Return the one task of ``run``."""
    return Workload(Owner(run.project, "job", run.job, run=run.name), run.image, run.config)


def _places(
    app: App,
    wanted: Wanted,
    seen: Seen,
    slots: Mapping[Slot, tuple[Observed | None, Observed | None]],
    notes: Mapping[Slot, Note],
) -> dict[int, _Place]:
    found = {}
    for revision in wanted.revisions:
        if (revision.project, revision.app) != (app.project, app.name):
            continue
        if revision.number not in (app.serving, app.target):
            continue
        work = instance_of(revision)
        sandbox, instance = slots.get(slot(work.owner), (None, None))
        address = sandbox.address if sandbox else ""
        answers = instance is not None and instance.id in seen.ready
        note = notes.get(slot(work.owner), Note())
        found[revision.number] = _Place(work, address, sandbox, instance, note, answers, revision.held)
    return found


def _app(app: App, places: Mapping[int, _Place], seen: Seen, now: float) -> list[Action]:
    shares = seen.shares.get((app.project, app.name), {})
    new = places.get(app.target) if app.target != app.serving else None
    serving = places.get(app.serving)
    if new and new.alive and set(shares) == {new.address}:
        return [MarkServing(app.project, app.name, app.target)]
    actions: list[Action] = []
    if new:
        actions += _roll_out(new, now)
        if new.alive and new.answers and not new.held and not any(isinstance(one, MarkFailed) for one in actions):
            return [*actions, PointRoute(app.project, app.name, new.address)]
    if serving:
        actions += _keep(serving, shares, seen, now)
    elif shares and not (new and new.address in shares):
        actions.append(PointRoute(app.project, app.name, ""))
    return actions


def _roll_out(new: _Place, now: float) -> list[Action]:
    """Bring a new revision's instance up, or say why it will not come; of one that is held its proof has the word.

    An instance whose sandbox has ended too did not end by itself: the engine did.
    """
    cause: Exited | NeverReady | NotStarted
    if new.note.error:
        cause = NotStarted(new.note.error)
    elif new.instance and new.instance.state == "exited" and (new.address or new.note.crashes > ENGINE_DEATHS):
        cause = Exited(new.instance.exit, new.instance.oom)
    elif new.note.alive is not None and not new.answers and now - new.note.alive >= READY_SECONDS:
        cause = NeverReady(READY_SECONDS)
    else:
        return _start(new)
    if new.held:
        return []
    return [MarkFailed(new.work.owner, new.instance.id if new.instance else "", new.work.config.port, cause)]


def _keep(serving: _Place, shares: Mapping[str, int], seen: Seen, now: float) -> list[Action]:
    """Keep the serving revision's instance running (FAULTS F10), and the route on it."""
    owner = serving.work.owner
    if serving.alive:
        if serving.answers and set(shares) != {serving.address}:
            return [PointRoute(owner.project, owner.name, serving.address)]
        return []
    actions: list[Action] = []
    others = {one.address for one in seen.containers if one.address and slot(one.owner)[:2] != slot(owner)[:2]}
    if others & set(shares):  # FAULTS F19: the address that we had is somebody else's now
        actions.append(PointRoute(owner.project, owner.name, ""))
    if now >= serving.note.retry_at:
        actions += _start(serving)
    return actions


def _start(place: _Place) -> list[Action]:
    return [] if place.alive else [StartInstance(place.work)]


def _deleted(app: App, seen: Seen, slots: Mapping[Slot, tuple[Observed | None, Observed | None]]) -> list[Action]:
    """Close the route first; `_unwanted` stops what runs; forget the app when nothing is left."""
    if seen.shares.get((app.project, app.name)):
        return [PointRoute(app.project, app.name, "")]
    if any(key[:2] == (app.project, app.name) for key in slots):
        return []
    return [ForgetApp(app.project, app.name)]


def _unwanted(
    sandbox: Observed | None, instance: Observed | None, note: Note, shares: set[str], now: float
) -> list[Action]:
    """Stop an instance that nothing wants, when no request goes to it and none is under way to it."""
    one = instance or sandbox
    assert one is not None
    address = sandbox.address if sandbox else ""
    if address and instance and instance.state == "running":
        if address in shares or note.unpointed is None:
            return []
        if note.quiet < 2 and now - note.unpointed < DRAIN_SECONDS:
            return []
    return [StopInstance(one.owner)]


def _runs(runs: tuple[JobRun, ...], seen: Seen) -> list[Action]:
    actions: list[Action] = []
    tasks = {(one.owner.project, one.owner.run): one for one in seen.containers if one.owner.kind == "job"}
    for run in runs:
        actions += _run(run, tasks.pop((run.project, run.name), None))
    return actions + [RemoveContainer(one.owner, one.id) for one in tasks.values()]


def _run(run: JobRun, task: Observed | None) -> list[Action]:
    if task is None:
        if run.status == "pending":
            return [StartTask(task_of(run))]
        return [FinishTask(run, "", None, "its container is gone")]
    if task.state == "created":
        return [StartTask(task_of(run))]
    if task.state == "exited":
        return [FinishTask(run, task.id, task.exit, _ended(task), task.started, task.finished)]
    return [MarkRunning(run, task.started)] if run.status == "pending" else []


def _ended(task: Observed) -> str:
    if task.oom:
        return "it needed more memory than it may have (give it more with --memory)"
    return f"exit code {task.exit}" if task.exit else ""
