"""A project as a whole: what is in it, what it uses, and its end, at once or a week after it was deleted."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from s2i.control import aside, kept, quota
from s2i.control.actions import ForgetApp
from s2i.control.execute import execute, sweep_images
from s2i.control.store import Store
from s2i.engines.engine import Engine, Observed
from s2i.errors import E_BUSY, E_EGRESS, E_NOT_FOUND, E_PROJECT, E_PROJECT_USED, S2IError
from s2i.resources.bundle import BundleKind
from s2i.resources.project import DEFAULT, Amounts, Egress, Project, containers, total

if TYPE_CHECKING:
    from s2i.control.platform import Platform

log = logging.getLogger("s2i")

How = Literal["unused", "force", "hard"]


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
    counts = Amounts(apps=forecast.apps, jobs=forecast.jobs, runs=forecast.runs, volumes=forecast.volumes)
    beside = Amounts(builds=platform.deployments.turns.under_way(one.name), images=_disk(platform.engine, one.name))
    used, forecast = total((used, counts, beside)), total((forecast, beside))
    return Standing(**fields, used=used, forecast=forecast, holds=tuple(_holds(platform, one.name)))


class Deleted(Project, frozen=True):
    """A deleted project that can be restored. ``until``: how long, in epoch seconds; ``holds``: see Standing."""

    until: float = 0.0
    holds: tuple[str, ...] = ()


def deleted(platform: Platform) -> list[Deleted]:
    """Return the projects that can be restored."""
    return [_deleted(platform, one) for one in platform.store.deleted_projects()]


def delete(platform: Platform, name: str, how: How) -> Deleted | None:
    """Delete a project. "unused": when nothing is in it; "force": so that it can be restored, and return that.

    "hard": at once, with all that is in it, also one that was deleted before; "default" is emptied.
    Returns when nothing of it runs. Raises E_NO_PROJECT, E_PROJECT, E_PROJECT_USED, E_PROJECT_DELETED, E_DOCKER, E_BUSY
    after aside.END_SECONDS.
    """
    hidden = aside.is_deleted(platform, name)
    if not (hidden and how == "hard"):
        platform.store.project(name)
    if name == DEFAULT and how != "hard":
        advice = f"`s2i project delete {name} --hard` ends and removes all that is in it, at once"
        raise E_PROJECT(project=name, done="deleted", why="it is always there", advice=advice)
    if (holds := list(_holds(platform, name))) and how == "unused":
        raise E_PROJECT_USED(project=name, what=", ".join(holds))
    platform.engine.info()  # before anything ends: without an engine nothing can be removed
    if how == "force" and holds:
        return _deleted(platform, aside.put(platform, name))
    if not hidden:
        _remove(platform, name)
        return None
    aside.end(platform, name)  # a server that was killed may have left something of it
    with platform.asides:
        if not aside.is_deleted(platform, name):
            raise E_BUSY(name=name, holder="somebody has just restored it")
        _remove(platform, name, hidden=True)
    return None


def end_old(platform: Platform) -> None:
    """Remove the deleted projects whose time is over, and end what a killed server has left of the others."""
    for one in platform.store.deleted_projects():
        try:
            if platform.world.now() >= one.ends:
                delete(platform, one.name, "hard")
            else:
                aside.end(platform, one.name)
        except S2IError as error:
            log.warning("the deleted project %s: %s", one.name, error)


def _deleted(platform: Platform, one: Project) -> Deleted:
    fields = {field: getattr(one, field) for field in Project.__struct_fields__}
    return Deleted(**fields, until=one.ends, holds=tuple(_holds(platform, one.name)))


def _remove(platform: Platform, name: str, *, hidden: bool = False) -> None:
    aside.until_ended(platform, name, lambda: _end(platform, name, hidden=hidden))
    platform.engine.remove_project(name, volumes=True)
    for one in platform.store.deployments(name):
        platform.deployments.forget(name, one.name)
    kept.forget_project(name)
    platform.meter.forget(name)
    platform.store.clear_project(name, forget=name != DEFAULT)
    platform.people.refresh()
    sweep_images(platform.world)


def _end(platform: Platform, project: str, *, hidden: bool) -> str:
    """Have everything of a project end, as far as nobody has asked for that yet; return something that is left.

    ``hidden``: it is deleted already, and nothing of it runs: the loop does not look at it.
    """
    store = platform.store
    ending = aside.cancelled(platform, project)
    apps = store.apps(project)
    for app in apps:
        if hidden:
            execute(ForgetApp(project, app.name), platform.world)
        elif not app.deleting:
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
    words = (f"the app {app.name}" for app in apps)
    return next(itertools.chain(words, aside.words_of(ending, aside.boxes(platform, project))), "")


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
        yield f"{'service' if job.service else 'job'} {job.name}"
    for kind in get_args(BundleKind):
        for bundle in store.bundles(project, kind):
            yield f"{kind} {bundle.name}"
    for volume in store.volumes(project):
        yield f"volume {volume.name}"


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


def _disk(engine: Engine, name: str) -> int:
    """Return the bytes of a project's images; -1 while no engine answers."""
    try:
        return engine.disk(name)
    except S2IError:
        return -1


def changed(one: Project, limits: Amounts, egress: Egress | None, now: float) -> Project:
    """Return a project with other limits and egress (None: its own); one that came to be by its use is made by that."""
    return msgspec.structs.replace(one, limits=limits, egress=egress or one.egress, created=one.created or now)


def shielded(platform: Platform, name: str) -> None:
    """Return when the egress of every project holds as the store has it.

    Raises E_EGRESS when the project is closed and that cannot be.
    """
    closed = platform.store.closed_projects()
    why = platform.engine.shield(platform.router.open_ports, closed, platform.router.door)
    if why and name in closed:
        raise E_EGRESS(project=name, why=why)
