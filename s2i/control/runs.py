"""Runs of jobs on somebody's wish: submit, do failed indices again, forget old ones."""

from __future__ import annotations

from typing import Any

import msgspec

from s2i.control import kept, quota, volumes
from s2i.control.store.jobs import run_of
from s2i.control.world import World, run_events
from s2i.errors import E_IMAGE_GONE, E_RUN_ENDED, E_SERVICE
from s2i.resources import indices
from s2i.resources.change import Change, config_after
from s2i.resources.execution import checked_data, checked_execution, merged
from s2i.resources.job import OPEN_TASK, Execution, JobRun
from s2i.resources.names import project_words

DAY = 86400.0


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be otherwise in a run than in its job, or in the run that is done again.

    ``execution``: fields of an Execution by name. ``failed``: only what did not succeed. ``data``: None for as it was.
    """

    change: Change = Change()
    execution: dict[str, Any] = {}
    data: str | None = None
    failed: bool = False


def submit(world: World, project: str, job: str, wish: Wish) -> JobRun:
    """Ask for a run of a job; return it.

    Raises E_NOT_FOUND, E_IMAGE_GONE, E_QUOTA, E_REQUEST, E_LIMIT, E_VALUE, E_ENV and its kin.
    """
    found = world.store.job(project, job)
    execution = _execution(found.execution, wish)
    made = run_of(found, world.now(), execution, checked_data(wish.data or ""))
    return _accepted(world, made, wish)


def resubmit(world: World, project: str, name: str, wish: Wish) -> JobRun:
    """Ask for a run that does the indices of an ended one again, or those that did not succeed; return it.

    JOB_ARRAY_SIZE is what it was. Raises as submit does, E_RUN_ENDED.
    """
    before = world.store.run(project, name)
    if before.status in OPEN_TASK:
        advice = f"wait until it has ended, or cancel it: `s2i jobrun cancel {name} --project {project}`"
        raise E_RUN_ENDED(run=name, done="submitted again", why=f"it is {before.status}", advice=advice)
    tasks = world.store.tasks(project, name)
    left = [task.index for task in tasks if task.status != "succeeded"] if wish.failed else [one.index for one in tasks]
    if not left:
        why = "all of its indices succeeded"
        raise E_RUN_ENDED(run=name, done="submitted again", why=why, advice="leave out --failed to run all of them")
    size = before.execution.size or len(indices.parse(before.execution.array))
    started_from = msgspec.structs.replace(before.execution, array=indices.written(left), size=size)
    made = JobRun(
        project,
        before.job,
        "",
        before.image,
        before.config,
        created=world.now(),
        execution=_execution(started_from, wish),
        data=before.data if wish.data is None else checked_data(wish.data),
        again=name,
    )
    return _accepted(world, made, wish)


def forget_old(world: World, project: str, job: str) -> None:
    """Remove the ended runs of a job, with their logs, that are more or older than are to be kept."""
    keep = world.store.job(project, job).keep
    ended = [run for run in world.store.runs(project, job) if run.status not in OPEN_TASK and not run.release]
    oldest = world.now() - keep.days * DAY if keep.days else 0.0
    for number, run in enumerate(ended):
        if number >= keep.runs or run.finished < oldest:
            forget(world, project, run.name)


def forget(world: World, project: str, name: str) -> None:
    """Remove a run with its log; end it when it still runs. Raises E_NOT_FOUND."""
    world.store.delete_run(project, name)
    kept.of_run(project, name).forget()


def _execution(before: Execution, wish: Wish) -> Execution:
    fields = dict(wish.execution)
    if "array" in fields and "size" not in fields and not wish.failed:
        fields["size"] = 0
    return checked_execution(merged(before, fields))


def _accepted(world: World, run: JobRun, wish: Wish) -> JobRun:
    if world.store.job(run.project, run.job).service:
        raise E_SERVICE(name=run.job, done="run once more", why="it runs already", words=project_words(run.project))
    config = config_after(wish.change, run.config)
    world.vault.pinned(run.project, config)  # a run takes the newest when it starts: what is missing is told now
    if not world.engine.image_exists(run.image):
        raise E_IMAGE_GONE(image=run.image)
    run = msgspec.structs.replace(run, config=config)
    with world.store.as_one():
        volumes.checked(world.store, run.project, config)
        quota.checked_run(world.store, run)
        made = world.store.accept_run(run)
    of = f" of what {run.again} left" if run.again else ""
    world.record(run.project, run_events(made.name), "submitted", f"{made.name}: {run.execution.array}{of}")
    forget_old(world, run.project, run.job)
    return made
