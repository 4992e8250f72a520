"""A deleted project that can be restored: nothing of it runs, and its records, secrets and images are kept."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from s2i.control import attempts, processes, services
from s2i.control.actions import ForgetApp, SetRoute
from s2i.control.execute import execute
from s2i.control.fleet import instance_of
from s2i.engines.engine import Owner
from s2i.errors import E_BUSY, E_NOT_FOUND, E_PROJECT, E_RUN_ENDED, S2IError
from s2i.resources.app import OPEN_DEPLOYMENT, App, Deployment
from s2i.resources.project import Project

if TYPE_CHECKING:
    from s2i.control.platform import Platform

END_SECONDS = 240.0  # until nothing runs: instances may answer what they have for 30 s, and get 10 s to end
POLL_SECONDS = 0.1
WHY = "its project was deleted"

log = logging.getLogger("s2i")


def put(platform: Platform, name: str) -> Project:
    """Delete a project so that it can be restored, and return it when nothing of it runs. Idempotent.

    Raises E_NO_PROJECT, E_DOCKER, E_BUSY after END_SECONDS.
    """
    # From here on the loop wants nothing of it, and nothing new comes.
    made = platform.store.hide_project(name, platform.world.now())
    end(platform, name)
    return made


def end(platform: Platform, name: str) -> None:
    """Return when nothing of a deleted project runs, or somebody has restored it. Raises E_DOCKER, E_BUSY."""

    def left() -> str:
        with platform.asides:
            if not is_deleted(platform, name):
                return ""
            found = _end(platform, name)
            if not found:
                platform.engine.remove_project(name, images=False)
            return found

    until_ended(platform, name, left)


def until_ended(platform: Platform, name: str, left: Callable[[], str]) -> None:
    """Return when ``left``, which ends what it can of a project, names nothing any more.

    Raises what it does, E_DOCKER, E_BUSY after END_SECONDS.
    """
    until = time.monotonic() + END_SECONDS
    while found := left():
        if time.monotonic() > until:
            raise platform.loop.engine_error or E_BUSY(name=name, holder=f"{found} is still being ended")
        time.sleep(POLL_SECONDS)


def cancelled(platform: Platform, project: str) -> list[Deployment]:
    """Cancel the deployments of a project that are under way, and return them."""
    found = [one for one in platform.store.deployments(project) if one.status in OPEN_DEPLOYMENT]
    for one in found:
        platform.deployments.cancel(project, one.id)
    return found


def boxes(platform: Platform, project: str) -> list[Owner]:
    """Return whose containers of a project there are, asked of the engine: what the loop saw may be from before."""
    return [one.owner for one in platform.engine.observe() if one.owner.project == project]


def words_of(ending: Iterable[Deployment], owners: Iterable[Owner]) -> Iterator[str]:
    """Yield what is left of a project, for people."""
    yield from (f"the deployment of {one.name}" for one in ending)
    yield from (f"a container of {owner.run or owner.name}" for owner in owners)


def is_deleted(platform: Platform, name: str) -> bool:
    """Say whether a project is deleted, and can be restored."""
    return any(one.name == name for one in platform.store.deleted_projects())


def restore(platform: Platform, name: str) -> list[str]:
    """Bring a deleted project back: its apps and schedules run again. Returns the apps whose image is gone.

    Raises E_NO_PROJECT, E_PROJECT when it is not deleted, E_DOCKER.
    """
    store = platform.store
    with platform.asides:
        if not is_deleted(platform, name):
            store.project(name)
            raise E_PROJECT(
                project=name, done="restored", why="it is not deleted", advice="`s2i project list` shows it"
            )
        platform.engine.info()
        store.show_project(name)
        lost = [app.name for app in store.apps(name) if app.serving and not _begin(platform, app)]
    services.start(platform.world, name)
    platform.timer.kick()
    platform.loop.kick()
    return lost


def _begin(platform: Platform, app: App) -> bool:
    """Let requests come to a restored app, and run what runs beside it; say whether its image is there."""
    revision = platform.store.revision(app.project, app.name, app.serving)
    if not app.stopped:
        try:
            # It makes the network, which the app's route may have to name.
            platform.engine.start_sandbox(instance_of(revision))
        except S2IError as error:
            log.warning("the network of %s does not run yet: %s", app.name, error)
        processes.start(platform.world, app)
    execute(SetRoute(app.project, app.name), platform.world)
    return platform.engine.image_exists(revision.image)


def _end(platform: Platform, project: str) -> str:
    """Have everything of a hidden project end; return something that still runs."""
    store = platform.store
    owners, ending = boxes(platform, project), cancelled(platform, project)
    for app in store.apps(project):
        _end_app(platform, app, has_boxes=any(owner.name == app.name for owner in owners))
    routes = [name for name in platform.router.routes() if name[0] == project]
    for name in routes:
        platform.router.remove(*name)
    runs = [one for one in store.open_runs() if one.project == project]
    for run in runs:
        if not run.cancelled:
            _tried_cancel(platform, project, run.name)
    platform.loop.kick()
    words = [f"the run {run.name}" for run in runs] + [f"the route of {app}" for _, app in routes]
    return next(itertools.chain(words_of(ending, owners), words), "")


def _end_app(platform: Platform, app: App, *, has_boxes: bool) -> None:
    if app.deleting and not has_boxes:
        execute(ForgetApp(app.project, app.name), platform.world)  # the loop does not see it any more
    elif app.target != app.serving:
        found = platform.store.revision(app.project, app.name, app.target)
        if found.status == "starting":
            platform.store.mark_failed(app.project, app.name, app.target, WHY)


def _tried_cancel(platform: Platform, project: str, run: str) -> None:
    try:
        attempts.cancel(platform.world, project, run)
    except S2IError as error:
        if error.kind not in (E_NOT_FOUND, E_RUN_ENDED):  # it has ended by itself meanwhile
            raise
