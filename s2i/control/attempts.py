"""Carry out what was decided about the tasks of job runs: start an attempt, look at it, end it, record its end."""

from __future__ import annotations

import ipaddress

import msgspec

from s2i.control import kept, veil
from s2i.control.actions import EndTask, FinishTask, LookAtTask, MarkRunning, StartTask
from s2i.control.tasks import after, pause
from s2i.control.world import World, engine_down, run_events
from s2i.errors import S2IError
from s2i.resources.job import OPEN_TASK, Attempt, JobRun, Task

GRACE_SECONDS = 10.0  # between SIGTERM and SIGKILL
SERVES, WAITS = "listens", "waits"


def start(action: StartTask, world: World) -> None:
    """Run the container of an attempt; one that cannot be started has failed."""
    try:
        world.engine.start_task(world.vault.work(action.work))
    except S2IError as error:
        if engine_down(error):
            raise
        task, run = action.task, world.store.run(action.task.project, action.task.run)
        attempt = Attempt(task.tries, "failed", None, str(error))
        finish(FinishTask(run, task, "", attempt, after(run, task, "failed")), world)


def mark_running(action: MarkRunning, world: World) -> None:
    """Record that an attempt has begun, and the first one of a run as an event."""
    task = action.task
    run = world.store.run(task.project, task.run)
    world.store.mark_running(task, max(action.started, run.created))  # the engine lists whole seconds
    if run.status == "pending":
        world.record(run.project, run_events(run.name), "started", f"{run.name} has begun")


def look(action: LookAtTask, world: World) -> None:
    """Say of a task that listens for requests that it looks like a server."""
    task, name = action.task, run_events(action.task.run)
    found = [port for host, port in world.engine.listening(action.owner) if not ipaddress.ip_address(host).is_loopback]
    if found and all(one.what != SERVES for one in world.store.events(task.project, name)):
        ports = ", ".join(map(str, sorted(set(found))))
        text = f"it listens on port {ports} and does not end, as a server does: `s2i deploy` makes an app of one"
        world.record(task.project, name, SERVES, text)


def tell_wait(world: World, project: str, run: str, why: str) -> None:
    """Say for what a run waits; each reason once."""
    told = [one.text for one in world.store.events(project, run_events(run)) if one.what == WAITS]
    if why not in told:
        world.record(project, run_events(run), WAITS, why)


def end(action: EndTask, world: World) -> None:
    """End an attempt, which is recorded with the reason then."""
    world.store.mark_ending(action.task, action.why)
    world.engine.end(action.container, GRACE_SECONDS)


def finish(action: FinishTask, world: World) -> None:
    """Keep what an attempt wrote, then record its end: in this order, so that no end is known without its log."""
    run, task = action.run, action.task
    if action.container:
        lines = veil.of(world.vault, run.project, run.job).lines(world.engine.logs(action.container))
        kept.of_run(run.project, run.name).keep(task.instance, action.container, lines)
    started = max(action.attempt.started or task.started, run.created)
    finished = max(action.attempt.finished or world.now(), started)
    attempt = msgspec.structs.replace(action.attempt, started=started, finished=finished)
    left = world.store.finish_attempt(task, attempt, action.status, finished)
    if left is None:
        return
    if attempt.status != "succeeded":
        _tell(world, run, task, attempt, again=action.status == "pending" and not left.cancelled)
    if left.status not in OPEN_TASK:
        _tell_end(world, left)


def cancel(world: World, project: str, name: str) -> JobRun:
    """Ask for the end of a run; return it. Raises E_NOT_FOUND, E_RUN_ENDED."""
    run = world.store.cancel_run(project, name, world.now())
    world.record(project, run_events(name), "cancelled", f"somebody asked for the end of {name}")
    if run.status not in OPEN_TASK:
        _tell_end(world, run)
    return run


def cancel_all(world: World, project: str, job: str) -> None:
    """Ask for the end of every open run of a job that nobody has cancelled yet."""
    for run in world.store.open_runs():
        if (run.project, run.job) == (project, job) and not run.cancelled:
            cancel(world, project, run.name)


def _tell(world: World, run: JobRun, task: Task, attempt: Attempt, *, again: bool) -> None:
    text = f"task {task.index}, attempt {task.tries + 1}: {attempt.reason or attempt.status}"
    if again:
        then = msgspec.structs.replace(task, tries=task.tries + 1, attempts=(*task.attempts, attempt))
        text += f"; it is tried again in {pause(run, then):g} s"
    world.record(run.project, run_events(run.name), attempt.status, text)


def _tell_end(world: World, run: JobRun) -> None:
    what = f"{run.name} (release command of revision {run.release})" if run.release else run.name
    reason = f" {run.reason}" if run.reason and run.status != "succeeded" else ""
    for name in (run.job, run_events(run.name)):
        world.record(run.project, name, run.status, f"{what}{reason}")
