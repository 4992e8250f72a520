"""The limits of projects at work: what a project comes to, and whether something more fits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec

from s2i.control.store import Store
from s2i.engines.engine import Engine
from s2i.errors import E_QUOTA, S2IError
from s2i.resources.app import App, Config, Revision
from s2i.resources.change import Change, scale_after
from s2i.resources.job import JobRun
from s2i.resources.project import (
    GIB,
    NOTHING,
    Amounts,
    Room,
    containers,
    exceeded,
    of_app,
    shown,
    total,
    written,
)

LESS = {
    "cpu": "give it a smaller --max-scale or --cpu (apps count at max-scale)",
    "memory": "give it a smaller --max-scale or --memory (apps count at max-scale)",
    "instances": "give it a smaller --max-scale (apps count at max-scale)",
    "apps": "delete an app that is not needed",
    "jobs": "delete a job that is not needed",
    "runs": "wait until a run has ended, or cancel one",
    "volumes": "delete a volume that is not needed",
}
LESS_OF_A_TASK = {
    "cpu": "give it a smaller --cpu, or an app of the project a smaller --max-scale",
    "memory": "give it a smaller --memory, or an app of the project a smaller --max-scale",
    "instances": "give an app of the project a smaller --max-scale",
}


def forecast(store: Store, project: str) -> Amounts:
    """Return what a project may come to: its apps at max-scale, and the tasks of its job runs that run now."""
    open_runs = {one.name: one for one in store.open_runs() if one.project == project and not one.release}
    tasks = store.open_tasks() if open_runs else {}
    running = [
        containers(run.config, sum(task.status == "running" for task in tasks.get((project, name), ())))
        for name, run in open_runs.items()
    ]
    # One that somebody has cancelled makes room for the run that replaces it.
    kept_open = sum(not run.cancelled for run in open_runs.values())
    counts = Amounts(jobs=len(store.jobs(project)), runs=kept_open, volumes=len(store.volumes(project)))
    return total((of_apps(store, project), *running, counts))


def of_apps(store: Store, project: str) -> Amounts:
    """Return what the apps of a project may come to at max-scale."""
    revisions = store.revisions_by_app(project)
    return total(of_app(app, revisions.get((project, app.name), ())) for app in store.apps(project))


def rooms(store: Store) -> dict[str, Room]:
    """Return what limits the tasks of each project that has limits."""
    limited = [one for one in store.projects() if one.limits != NOTHING]
    return {one.name: Room(one.limits, of_apps(store, one.name)) for one in limited}


@contextlib.contextmanager
def kept_to(store: Store, project: str, what: str) -> Iterator[None]:
    """Have all that is done to the store within be as if it had not been, when the project has no room for it.

    ``what`` it is, for people: "the app shop". Raises E_QUOTA.
    """
    limits = store.limits(project)
    if limits == NOTHING:
        yield
        return
    with store.as_one():
        before = forecast(store, project)
        yield
        _refuse(project, what, limits, before, forecast(store, project))


def checked_app(store: Store, project: str, name: str, change: Change, config: Config | None) -> None:
    """Return when a project has room for an app with ``change``. ``config``: of the revision that is made; None: none.

    Raises E_QUOTA, and what a scale that cannot be does. For what is told before it is done: kept_to decides.
    """
    before = next((one for one in store.apps(project) if one.name == name), None)
    app = before or App(project, name, target=0)
    app = msgspec.structs.replace(app, scale=scale_after(change, app.scale))
    limits = store.limits(project)
    if limits == NOTHING:
        return
    revisions = list(store.revisions(project, name))
    old = of_app(before, revisions) if before else NOTHING
    if config:
        number = max((one.number for one in revisions), default=0) + 1
        revisions.append(Revision(project, name, number, "", config))
        app = msgspec.structs.replace(app, target=number)
    now = forecast(store, project)
    _refuse(project, f"the app {name}", limits, now, total((_without(now, old), of_app(app, revisions))))


def checked_job(store: Store, project: str, name: str) -> None:
    """Return when a project has room for a job, or has it already. Raises E_QUOTA."""
    if any(one.name == name for one in store.jobs(project)):
        return
    before = Amounts(jobs=len(store.jobs(project)))
    _refuse(project, f"the job {name}", store.limits(project), before, total((before, Amounts(jobs=1))))


def checked_images(store: Store, engine: Engine, project: str, name: str) -> None:
    """Return when a project may have one image more: not as many bytes on disk as its limit. Raises E_QUOTA, E_DOCKER.

    How large an image is becomes known when it is there.
    """
    limit = store.limits(project).images
    if not limit or (used := engine.disk(project)) < limit:
        return
    texts = {"limit": shown("images", limit), "used": shown("images", used), "wanted": "more"}
    less = "delete apps and jobs that are not needed (ten revisions of an app are kept)"
    enough = written("images", -(-max(used * 2, GIB) // GIB) * GIB)
    raise E_QUOTA(project=project, what=f"a build of {name}", field="images", less=less, enough=enough, **texts)


def checked_run(store: Store, run: JobRun, beside: int = 0) -> None:
    """Return when a run, and ``beside`` others that are to begin, can be kept open, and each of its tasks can begin.

    Tasks that fit by themselves wait for their turn; one that never could is refused. Raises E_QUOTA.
    """
    limits, what = store.limits(run.project), f"one more run of the job {run.job}"
    if limits == NOTHING:
        return
    before = Amounts(runs=forecast(store, run.project).runs + beside)
    _refuse(run.project, what, limits, before, total((before, Amounts(runs=1))))
    apps, what = of_apps(store, run.project), f"one task of the job {run.job}"
    wanted = total((apps, containers(run.config, 1)))
    if field := _first(limits, wanted):
        raise _refusal(run.project, what, limits, apps, wanted, field, LESS_OF_A_TASK[field])


def _first(limits: Amounts, wanted: Amounts) -> str:
    """Return the first field of what a task takes that is exceeded, "" for none: nothing excuses it."""
    only = {field: getattr(limits, field) for field in LESS_OF_A_TASK}
    return exceeded(Amounts(**only), wanted)


def _refuse(project: str, what: str, limits: Amounts, before: Amounts, wanted: Amounts) -> None:
    if field := exceeded(limits, wanted, before):
        raise _refusal(project, what, limits, before, wanted, field, LESS[field])


def _refusal(
    project: str, what: str, limits: Amounts, before: Amounts, wanted: Amounts, field: str, less: str
) -> S2IError:
    texts = {
        name: shown(field, getattr(each, field))
        for name, each in (("limit", limits), ("used", before), ("wanted", wanted))
    }
    enough = written(field, getattr(wanted, field))
    return E_QUOTA(project=project, what=what, field=field, less=less, enough=enough, **texts)


def _without(one: Amounts, part: Amounts) -> Amounts:
    fields = {field: getattr(one, field) - getattr(part, field) for field in Amounts.__struct_fields__}
    return Amounts(**{**fields, "cpu": round(fields["cpu"], 3)})
