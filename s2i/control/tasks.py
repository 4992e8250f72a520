"""The tasks of job runs: start them as there is room, end what takes too long, try again what fails. Pure."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from s2i.control.actions import (
    Action,
    EndTask,
    FinishTask,
    LookAtTask,
    MarkRunning,
    RemoveContainer,
    StartTask,
    TellWait,
)
from s2i.control.room import Claim, admission
from s2i.control.watch import STEADY_SECONDS, delay
from s2i.engines.engine import Capacity, Observed, Owner, Workload
from s2i.resources import indices
from s2i.resources.job import Attempt, JobRun, Task, TaskStatus
from s2i.resources.project import Room

RETRY_SECONDS, RETRY_MOST = 2.0, 300.0  # after the first failure; twice as long after each one more
LOOK_SECONDS = 15.0  # a job that listens for so long is a server
LOST = "its container is gone"

Run = tuple[str, str]  # project, name
Moment = tuple[str, str, str, str]  # project, run, instance of the task, status: what begins a wait
Since = Mapping[Moment, float]  # monotonic


class Batch(msgspec.Struct, frozen=True):
    """The runs that have not ended, oldest first, those of their tasks that have not, and limits of their projects."""

    runs: Sequence[JobRun] = ()
    tasks: Mapping[Run, Sequence[Task]] = {}
    rooms: Mapping[str, Room] = {}

    def each(self) -> Iterable[tuple[JobRun, Task]]:
        """Yield every open task with its run."""
        for run in self.runs:
            for task in self.tasks.get((run.project, run.name), ()):
                yield run, task


def work_of(run: JobRun, task: Task) -> Workload:
    """Return the container of the current attempt of ``task``."""
    owner = Owner(run.project, "job", run.job, run=run.name, instance=task.instance)
    env = dict(run.config.env) | ({} if run.release else _variables(run, task))
    return Workload(owner, run.image, msgspec.structs.replace(run.config, env=tuple(env.items())), run.alias)


def remember(
    since: Since, batch: Batch, containers: Iterable[Observed], now: float, epoch: float
) -> dict[Moment, float]:
    """Return since when each open task waits for its next attempt, or its container runs; ``epoch`` is the same moment.

    What ran before anybody looked has run since the engine says so.
    """
    ran = {_key(one): one.started for one in containers if one.role == "task" and one.state == "running"}
    found: dict[Moment, float] = {}
    for run, task in batch.each():
        key = (run.project, run.name, task.instance)
        if key in ran:
            moment = (*key, "running")
            started = task.started or epoch  # the engine's list tells whole seconds
            found[moment] = since.get(moment, now - min(max(epoch - started, 0.0), now))
        elif task.status == "pending" and task.tries:
            moment = (*key, "pending")
            found[moment] = since.get(moment, now)
    return found


def act(
    batch: Batch, containers: Iterable[Observed], since: Since, looked: frozenset[str], has: Capacity, now: float
) -> list[Action]:
    """Return what has to be done now. ``looked``: containers that were looked at for whether they serve."""
    there = {_key(one): one for one in containers if one.role == "task"}
    actions: list[Action] = []
    waiting: list[tuple[Claim, JobRun, Task]] = []
    running: list[tuple[Claim, JobRun]] = []
    behind = _behind(batch.runs)
    for run, task in batch.each():
        key = (run.project, run.name, task.instance)
        one = there.pop(key, None)
        if one is None and task.status == "pending":
            begun = since.get((*key, "pending"))
            if (begun is None or now - begun >= pause(run, task)) and (run.project, run.name) not in behind:
                waiting.append((_claim(run, task), run, task))
            continue
        running.append((_claim(run, task), run))
        actions += _seen(run, task, one, since.get((*key, "running")), looked, now)
    counted = [claim for claim, run in running if not run.release]
    claims = [claim for claim, run, _ in waiting if not run.release]
    admitted = admission(claims, counted, has, batch.rooms)
    may = set(admitted.begin)
    begin = [one for one in waiting if one[1].release or one[0] in may]
    actions += [StartTask(work_of(run, task), task) for _, run, task in begin]
    actions += [TellWait(*key, why) for key, why in admitted.waits.items()]
    return actions + [RemoveContainer(one.owner, one.id) for one in there.values()]


def _behind(every: Sequence[JobRun]) -> set[Run]:
    """Return the runs that wait until an earlier one of their job, which somebody has cancelled, has ended."""
    ending: set[tuple[str, str]] = set()
    found: set[Run] = set()
    for run in every:
        if (run.project, run.job) in ending:
            found.add((run.project, run.name))
        if run.cancelled:
            ending.add((run.project, run.job))
    return found


def pause(run: JobRun, task: Task) -> float:
    """Return the seconds from the last attempt that failed to the next one."""
    if run.execution.mode == "daemon":
        short = 0
        for attempt in reversed(task.attempts):
            if attempt.finished - attempt.started >= STEADY_SECONDS:
                break
            short += 1
        return delay(max(short, 1))
    return min(RETRY_SECONDS * 2.0 ** (task.tries - 1), RETRY_MOST)


def after(run: JobRun, task: Task, ended: TaskStatus) -> TaskStatus:
    """Return what a task is when its attempt has ended so: "pending" when there is to be another one."""
    if run.cancelled:
        return "succeeded" if ended == "succeeded" and run.execution.mode == "task" else "cancelled"
    if run.execution.mode == "daemon":
        return "pending"
    again = ended == "failed" or (ended == "timeout" and run.execution.retry_timeouts)
    return "pending" if again and task.tries < run.execution.retry_limit else ended


def next_due(batch: Batch, since: Since, now: float) -> float | None:
    """Return the seconds until a task is to be tried again or is out of time, None when no clock decides anything."""
    due: list[float] = []
    for run, task in batch.each():
        key = (run.project, run.name, task.instance)
        if (begun := since.get((*key, "pending"))) is not None:
            due.append(begun + pause(run, task) - now)
        if (begun := since.get((*key, "running"))) is not None and run.execution.mode == "task":
            due += [begun + LOOK_SECONDS - now] if begun + LOOK_SECONDS > now else []
            due += [begun + run.execution.max_seconds - now] if run.execution.max_seconds else []
    return max(min(due), 0.0) if due else None


def _seen(
    run: JobRun, task: Task, one: Observed | None, begun: float | None, looked: frozenset[str], now: float
) -> list[Action]:
    """Return what has to be done with a task that has a container, or had one."""
    if one is None:
        return [_finish(run, task, "", None, LOST)]
    if one.state == "created":
        return [StartTask(work_of(run, task), task)]
    if one.state == "exited":
        return [_finish(run, task, one.id, one.exit, _why(one), one)]
    if task.ending or run.cancelled:
        return [EndTask(task, one.owner, one.id, task.ending or "cancelled")]
    ran = now - begun if begun is not None else 0.0
    limit = run.execution.max_seconds
    if run.execution.mode == "task" and not run.release:
        if limit and ran >= limit:
            return [EndTask(task, one.owner, one.id, "timeout")]
        if ran >= LOOK_SECONDS and one.id not in looked:
            return [LookAtTask(task, one.owner, one.id)]
    return [MarkRunning(task, one.started)] if task.status == "pending" else []


def _finish(
    run: JobRun, task: Task, container: str, code: int | None, why: str, one: Observed | None = None
) -> FinishTask:
    attempt_status: TaskStatus = task.ending or ("succeeded" if code == 0 and not why else "failed")
    if task.ending == "timeout":
        why = f"it did not end within {run.execution.max_seconds:g} s"
    elif task.ending == "cancelled":
        why = "it was cancelled"
    times = (one.started, one.finished) if one else (task.started, 0.0)
    attempt = Attempt(task.tries, attempt_status, code, why, *times)
    return FinishTask(run, task, container, attempt, after(run, task, attempt_status))


def _why(one: Observed) -> str:
    if one.oom:
        return "it needed more memory than it may have (give it more with --memory)"
    return f"exit code {one.exit}{_signal(one.exit)}" if one.exit else ""


def _signal(code: int) -> str:
    """Return which signal an exit code stands for, in words; "" for none: an init process adds 128 to it."""
    try:
        return f", as of {signal.Signals(code - 128).name}"
    except ValueError:
        return ""


def _claim(run: JobRun, task: Task) -> Claim:
    """Return what a task needs; a daemon needs no room of the machine, a release command none at all."""
    free, config = run.execution.mode == "daemon", run.config
    return Claim(run.project, run.name, task.index, config.cpu, config.memory, run.execution.parallelism, free)


def _variables(run: JobRun, task: Task) -> dict[str, str]:
    execution = run.execution
    size = execution.size or len(indices.parse(execution.array))
    found = {
        "JOB_INDEX": str(task.index),
        "JOB_ARRAY_SIZE": str(size),
        "JOB_INDEX_RETRY_COUNT": str(task.tries),
        "JOB_RETRY_LIMIT": str(execution.retry_limit),
        "JOB_MODE": execution.mode,
        "S2I_JOB": run.job,
        "S2I_JOBRUN": run.name,
        "S2I_PROJECT": run.project,
    }
    return found | ({"JOB_DATA": run.data} if run.data else {})


def _key(one: Observed) -> tuple[str, str, str]:
    return one.owner.project, one.owner.run, one.owner.instance
