"""What a source runs beside what it serves (Procfile): daemons of the image and settings of the app's revision."""

from __future__ import annotations

import msgspec

from s2i.control import attempts, quota
from s2i.control.store.jobs import run_of
from s2i.control.world import World
from s2i.errors import S2IError
from s2i.resources.app import App, Revision
from s2i.resources.job import Execution, Job, JobRun
from s2i.resources.names import app_name

ONCE = ("migrate", "console", "shell", "postdeploy")  # these end by themselves
RUNS = "worker"  # the process that runs without being asked for, as on other platforms; the rest are jobs to submit


def follow(world: World, revision: Revision) -> list[str]:
    """Have the processes of an app be those of ``revision``, which serves now; return what was done, for people.

    What runs already just so is left alone. One whose name is taken by something else is told, and left out.
    """
    said = []
    for process, command in revision.processes:
        name = f"{revision.app}-{process}"
        try:
            said.append(_one(world, revision, process, app_name(name), command))
        except S2IError as error:
            said.append(f"{process} does not run: {error}")
    return said


def stop(world: World, app: App) -> None:
    """End the processes of an app."""
    for job in of(world, app):
        attempts.cancel_all(world, job.project, job.name)


def start(world: World, app: App) -> None:
    """Run the processes of an app again that its newest revision runs."""
    if app.serving:
        follow(world, world.store.revision(app.project, app.name, app.serving))


def of(world: World, app: App) -> list[Job]:
    """Return the jobs that are processes of an app."""
    return [job for job in world.store.jobs(app.project) if job.app == app.name]


def _one(world: World, revision: Revision, process: str, name: str, command: tuple[str, ...]) -> str:
    before = next((job for job in world.store.jobs(revision.project) if job.name == name), None)
    config = msgspec.structs.replace(
        revision.config, command=command, arguments=(), release=(), probe_ready=None, probe_live=None
    )
    job = Job(
        revision.project,
        name,
        revision.image,
        config,
        revision.source,
        execution=before.execution if before else Execution(mode="task" if process in ONCE else "daemon"),
        commit=revision.commit,
        app=revision.app,
    )
    running = _open(world, job)
    if any((run.image, run.config) == (job.image, job.config) and not run.cancelled for run in running):
        return f"{name} runs on as it is"
    now = world.now()
    with quota.kept_to(world.store, job.project, f"the job {name}"):
        world.store.accept_job(job, "", now, None)
    if not (process == RUNS or running):
        return f"{name} is a job: `s2i jobrun submit {name}` runs it"
    attempts.cancel_all(world, job.project, job.name)
    run = run_of(job, now, job.execution)
    with world.store.as_one():
        quota.checked_run(world.store, run)
        made = world.store.accept_run(run)
    return f"{name} runs: {made.name}"


def _open(world: World, job: Job) -> list[JobRun]:
    return [one for one in world.store.open_runs() if (one.project, one.job) == (job.project, job.name)]
