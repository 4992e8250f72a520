"""Jobs and job runs over HTTP: list, get, change, schedule; submit, look, follow, cancel, delete."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Stream

from s2i.api.body import decoded
from s2i.api.lines import streamed
from s2i.control import attempts, runs, services, volumes
from s2i.control.logs import Wish as LogWish
from s2i.control.platform import Platform
from s2i.control.schedule import next_tick
from s2i.control.world import run_events
from s2i.errors import E_REQUEST
from s2i.resources.app import Event
from s2i.resources.change import Change, config_after
from s2i.resources.execution import checked_execution, checked_keep, checked_schedule, merged
from s2i.resources.job import Job, JobRun, Schedule, Task, TaskStatus

JOBS = "/v1/projects/{project:str}/jobs"
RUNS = "/v1/projects/{project:str}/jobruns"
LOGS_AHEAD = 8  # pieces of a log that are read before the caller has taken them


class JobView(Job, frozen=True):
    """A job as callers see it; ``next``: when its schedule is due (epoch seconds), 0.0 for never."""

    next: float = 0.0
    last: str = ""  # its newest run
    last_status: str = ""
    events: list[Event] = []


class TaskView(msgspec.Struct, frozen=True):
    """One index of a run as callers see it: of ``attempts`` attempts so far the last one is told."""

    index: int
    status: TaskStatus
    attempts: int
    exit: int | None = None
    reason: str = ""
    seconds: float = 0.0


class RunView(JobRun, frozen=True):
    """A job run as callers see it; ``counts``: how many tasks have which status.

    ``waits``: for what those wait that could begin otherwise, in words.
    """

    counts: dict[TaskStatus, int] = {}
    waits: str = ""
    tasks: list[TaskView] = []


class JobChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be otherwise with a job: its config, fields of its Execution and Keep by name."""

    change: Change = Change()
    execution: dict[str, Any] = {}
    keep: dict[str, Any] = {}


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/jobs and jobruns."""
    return [*_jobs(platform), *_runs(platform), *_wishes(platform)]


def _jobs(platform: Platform) -> list[HTTPRouteHandler]:
    store = platform.store

    @get(JOBS, sync_to_thread=True)
    def every(project: FromPath[str]) -> list[JobView]:
        newest: dict[str, JobRun] = {}
        for run in store.runs(project):
            newest.setdefault(run.job, run)
        return [_job(job, newest.get(job.name)) for job in store.jobs(project)]

    @get(f"{JOBS}/{{name:str}}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> JobView:
        job = store.job(project, name)
        view = _job(job, next(iter(store.runs(project, name)), None))
        return msgspec.structs.replace(view, events=list(store.events(project, name)))

    @patch(f"{JOBS}/{{name:str}}/settings", sync_to_thread=True)
    def change(project: FromPath[str], name: FromPath[str], body: RawBody) -> JobView:
        wish = decoded(body, JobChange)
        services.checked_job(platform.world, project, name, "changed")

        def changed(job: Job) -> Job:
            config = config_after(wish.change, job.config)
            volumes.checked(store, project, config)
            return msgspec.structs.replace(
                job,
                config=config,
                execution=checked_execution(merged(job.execution, wish.execution)),
                keep=checked_keep(merged(job.keep, wish.keep)),
            )

        job = store.change_job(project, name, changed)
        runs.forget_old(platform.world, project, name)
        return _job(job, None)

    @put(f"{JOBS}/{{name:str}}/schedule", sync_to_thread=True)
    def schedule(project: FromPath[str], name: FromPath[str], body: RawBody) -> JobView:
        fields = decoded(body, dict[str, Any])
        services.checked_job(platform.world, project, name, "scheduled")
        now = platform.world.now()

        def changed(job: Job) -> Job:
            before = msgspec.structs.asdict(job.schedule) if job.schedule else {"cron": ""}
            try:
                wanted = msgspec.convert({**before, **fields, "since": now}, Schedule)
            except msgspec.ValidationError as error:
                raise E_REQUEST(why=error) from None
            return msgspec.structs.replace(job, schedule=checked_schedule(wanted))

        job = store.change_job(project, name, changed)
        platform.timer.kick()
        return _job(job, None)

    @delete(f"{JOBS}/{{name:str}}/schedule", status_code=200, sync_to_thread=True)
    def unschedule(project: FromPath[str], name: FromPath[str]) -> JobView:
        job = store.change_job(project, name, lambda job: msgspec.structs.replace(job, schedule=None))
        platform.timer.kick()
        return _job(job, None)

    @delete(f"{JOBS}/{{name:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        services.checked_job(platform.world, project, name, "deleted")
        platform.delete_job(project, name)
        return {"deleted": name}

    return [every, one, change, schedule, unschedule, remove]


def _runs(platform: Platform) -> list[HTTPRouteHandler]:
    store = platform.store

    @get(RUNS, sync_to_thread=True)
    def every(project: FromPath[str], job: FromQuery[str] = "") -> list[RunView]:
        counts = store.counts(project)
        return [_run(platform, run, counts.get(run.name, {})) for run in store.runs(project, job)]

    @get(f"{RUNS}/{{name:str}}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> RunView:
        return _whole(platform, store.run(project, name))

    @get(f"{RUNS}/{{name:str}}/events", sync_to_thread=True)
    def events(project: FromPath[str], name: FromPath[str]) -> list[Event]:
        store.run(project, name)
        return list(store.events(project, run_events(name)))

    @get(f"{RUNS}/{{name:str}}/logs", sync_to_thread=True)
    def logs(
        project: FromPath[str],
        name: FromPath[str],
        follow: FromQuery[bool] = False,
        tail: FromQuery[int | None] = None,
        instance: FromQuery[str] = "",
    ) -> Stream:
        wish = LogWish(tail, instance, follow=follow)
        return streamed(platform.run_logs(store.run(project, name), wish), platform.stopping, ahead=LOGS_AHEAD)

    @delete(f"{RUNS}/{{name:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        services.checked_job(platform.world, project, platform.store.run(project, name).job, "forgotten")
        platform.delete_run(project, name)
        return {"deleted": name}

    return [every, one, events, logs, remove]


def _wishes(platform: Platform) -> list[HTTPRouteHandler]:
    @post(f"{JOBS}/{{name:str}}/runs", sync_to_thread=True)
    def submit(project: FromPath[str], name: FromPath[str], body: RawBody) -> RunView:
        made = runs.submit(platform.world, project, name, decoded(body, runs.Wish))
        platform.loop.kick()
        return _whole(platform, made)

    @post(f"{RUNS}/{{name:str}}/resubmit", sync_to_thread=True)
    def resubmit(project: FromPath[str], name: FromPath[str], body: RawBody) -> RunView:
        made = runs.resubmit(platform.world, project, name, decoded(body, runs.Wish))
        platform.loop.kick()
        return _whole(platform, made)

    @post(f"{RUNS}/{{name:str}}/cancel", status_code=200, sync_to_thread=True)
    def cancel(project: FromPath[str], name: FromPath[str]) -> RunView:
        services.checked_job(platform.world, project, platform.store.run(project, name).job, "ended")
        run = attempts.cancel(platform.world, project, name)
        platform.loop.kick()
        return _whole(platform, run)

    return [submit, resubmit, cancel]


def _job(job: Job, newest: JobRun | None) -> JobView:
    due = next_tick(job.schedule) if job.schedule else None
    more = {"last": newest.name, "last_status": newest.status} if newest else {}
    return JobView(**{**_fields(job), **more}, next=due or 0.0)


def _whole(platform: Platform, run: JobRun) -> RunView:
    tasks = [_task(task, platform.world.now()) for task in platform.store.tasks(run.project, run.name)]
    counts: dict[TaskStatus, int] = {}
    for task in tasks:
        counts[task.status] = counts.get(task.status, 0) + 1
    return msgspec.structs.replace(_run(platform, run, counts), tasks=tasks)


def _run(platform: Platform, run: JobRun, counts: dict[TaskStatus, int]) -> RunView:
    return RunView(**_fields(run), counts=counts, waits=platform.loop.waits.get((run.project, run.name), ""))


def _task(task: Task, now: float) -> TaskView:
    last = task.attempts[-1] if task.attempts else None
    if task.status == "running":
        return TaskView(task.index, task.status, task.tries + 1, seconds=round(max(now - task.started, 0.0), 3))
    if last is None:
        return TaskView(task.index, task.status, task.tries)
    seconds = round(last.finished - last.started, 3)
    return TaskView(task.index, task.status, task.tries, last.exit, last.reason, seconds)


def _fields(one: msgspec.Struct) -> dict[str, Any]:
    return {field: getattr(one, field) for field in one.__struct_fields__}
