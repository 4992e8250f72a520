"""A project as a whole: what is in it, what it uses, and its end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, get_args

import msgspec

from s2i.control import kept, quota
from s2i.control.execute import sweep_images
from s2i.control.store import Store
from s2i.engines.engine import Observed
from s2i.errors import E_BUSY, E_NOT_FOUND, E_PROJECT, E_PROJECT_USED, S2IError
from s2i.resources.app import OPEN_DEPLOYMENT
from s2i.resources.bundle import BundleKind
from s2i.resources.project import DEFAULT, Amounts, Project, containers, total

if TYPE_CHECKING:
    from s2i.control.platform import Platform

END_SECONDS = 240.0  # until nothing is left: instances may answer what they have for 30 s, and get 10 s to end
POLL_SECONDS = 0.1


class Standing(Project, frozen=True):
    """A project as it stands: what it uses now, what it may come to with its apps at max-scale, what is in it.

    ``holds``: "app shop", "job report", "secret db"; of an app that never was, too.
    """

    used: Amounts = Amounts()
    forecast: Amounts = Amounts()
    holds: tuple[str, ...] = ()


def standing(platform: Platform, one: Project) -> Standing:
    """Return how a project stands."""
    fields = {field: getattr(one, field) for field in Project.__struct_fields__}
    forecast = quota.forecast(platform.store, one.name)
    used = _used(platform.store, one.name, platform.loop.containers)
    counts = Amounts(apps=forecast.apps, jobs=forecast.jobs, runs=forecast.runs)
    return Standing(**fields, used=total((used, counts)), forecast=forecast, holds=tuple(_holds(platform, one.name)))


def delete(platform: Platform, name: str, *, force: bool) -> None:
    """Delete a project; with ``force`` all that is in it ends first, and "default" is emptied.

    Returns when nothing of it is left. Raises E_NO_PROJECT, E_PROJECT, E_PROJECT_USED, E_DOCKER, E_BUSY after
    END_SECONDS.
    """
    platform.store.project(name)
    if name == DEFAULT and not force:
        advice = f"`s2i project delete {name} --force` ends and removes all that is in it"
        raise E_PROJECT(project=name, done="deleted", why="it is always there", advice=advice)
    if (holds := list(_holds(platform, name))) and not force:
        raise E_PROJECT_USED(project=name, what=", ".join(holds))
    platform.engine.info()  # before anything ends: without an engine nothing can be removed
    until = time.monotonic() + END_SECONDS
    while left := _end(platform, name):
        if time.monotonic() > until:
            raise platform.loop.engine_error or E_BUSY(name=name, holder=f"{left} is still being ended")
        time.sleep(POLL_SECONDS)
    platform.engine.remove_project(name)
    for one in platform.store.deployments(name):
        platform.deployments.forget(name, one.name)
    kept.forget_project(name)
    platform.meter.forget(name)
    platform.store.clear_project(name, forget=name != DEFAULT)
    sweep_images(platform.world)


def _end(platform: Platform, project: str) -> str:
    """Have everything of a project end, as far as nobody has asked for that yet; return something that is left."""
    store = platform.store
    ending = [one for one in store.deployments(project) if one.status in OPEN_DEPLOYMENT]
    for deployment in ending:
        platform.deployments.cancel(project, deployment.id)
    apps = store.apps(project)
    for app in apps:
        if not app.deleting:
            with _gone():
                store.delete_app(project, app.name)
    for job in store.jobs(project):
        with _gone():
            platform.delete_job(project, job.name)
    for kind in get_args(BundleKind):
        for bundle in store.bundles(project, kind):
            with _gone():
                platform.world.vault.delete(project, kind, bundle.name, force=True)
    platform.loop.kick()
    # Asked of the engine itself: what the loop has seen last may be from before.
    boxes = [one.owner for one in platform.engine.observe() if one.owner.project == project]
    words = [f"the app {app.name}" for app in apps]
    words += [f"the deployment of {deployment.name}" for deployment in ending]
    words += [f"a container of {owner.run or owner.name}" for owner in boxes]
    return next(iter(words), "")


@contextlib.contextmanager
def _gone() -> Iterator[None]:
    """Pass over what somebody else removes at the same time."""
    try:
        yield
    except S2IError as error:
        if error.kind is not E_NOT_FOUND:
            raise


def _holds(platform: Platform, project: str) -> Iterator[str]:
    store = platform.store
    unborn = {one.name for one in platform.deployments.unborn(project)}
    for name in sorted(unborn.union(app.name for app in store.apps(project))):
        yield f"app {name}"
    for job in store.jobs(project):
        yield f"job {job.name}"
    for kind in get_args(BundleKind):
        for bundle in store.bundles(project, kind):
            yield f"{kind} {bundle.name}"


def _used(store: Store, project: str, seen: Iterable[Observed]) -> Amounts:
    """Return what the containers of a project that run may use."""
    running = [one for one in seen if one.owner.project == project and one.state == "running"]
    tasks = [one.owner.run for one in running if one.role == "task"]
    instances = [(one.owner.name, one.owner.number) for one in running if one.role == "instance"]
    runs = {one.name: one.config for one in store.open_runs() if one.project == project}
    every = store.revisions_by_app(project)
    revisions = {(one.app, one.number): one.config for of_app in every.values() for one in of_app}
    found = [runs[run] for run in tasks if run in runs]
    found += [revisions[key] for key in instances if key in revisions]
    return total(containers(config, 1) for config in found)


def changed(one: Project, limits: Amounts, now: float) -> Project:
    """Return a project with other limits; one that came to be by its use is made by that."""
    return msgspec.structs.replace(one, limits=limits, created=one.created or now)
