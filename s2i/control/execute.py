"""Carry out what `reconcile` decided: the effects, one function for all."""

from __future__ import annotations

import logging
from typing import assert_never, get_args

from s2i import crash
from s2i.control import attempts, diagnosis, kept, veil
from s2i.control.actions import (
    Action,
    EndInstance,
    EndTask,
    FinishTask,
    ForgetApp,
    LookAtTask,
    MarkFailed,
    MarkReady,
    MarkRunning,
    MarkServing,
    MarkSettled,
    Park,
    PointRoute,
    RemoveContainer,
    RemoveRoute,
    SetRoute,
    StartInstance,
    StartSandbox,
    StartTask,
    StopInstance,
    TellWait,
)
from s2i.control.usage import building, uses
from s2i.control.world import World
from s2i.errors import S2IError
from s2i.images.carried import folder
from s2i.resources.tags import app_of, views
from s2i.router.router import route_of

KEEP_REVISIONS = 10
TAIL = 200  # lines of a log that are looked at for the reason of a failure

log = logging.getLogger("s2i")


def execute(action: Action, world: World) -> None:
    """Carry out one action. Each is safe to repeat: the server may have been killed right after it."""
    with crash.around(type(action).__name__):
        _execute(action, world)


def crash_points() -> tuple[str, ...]:
    """Return every point at which S2I_CRASH_AT can end the server."""
    return crash.points((*crash.STEPS, *(kind.__name__ for kind in get_args(Action))))


def _execute(action: Action, world: World) -> None:
    match action:
        case StartInstance(work):
            world.engine.start_instance(world.vault.work(work))
        case StartSandbox(work):
            world.engine.start_sandbox(work)
        case StopInstance(owner):
            world.engine.stop(owner, attempts.GRACE_SECONDS)
        case EndInstance(owner, container, why):
            text = f"{owner.instance} no longer works, and is ended: {why}"
            world.record(
                owner.project, owner.name, "unhealthy", veil.of(world.vault, owner.project, owner.name).text(text)
            )
            world.engine.end(container, attempts.GRACE_SECONDS)
        case Park(work):
            world.engine.park(world.vault.work(work), attempts.GRACE_SECONDS)
        case PointRoute(project, app, shares):
            _set_route(world, project, app)
            world.router.point(project, app, dict(shares))
        case SetRoute(project, app):
            _set_route(world, project, app)
        case RemoveRoute(project, app):
            world.router.remove(project, app)
        case MarkServing(project, app, number):
            world.store.mark_serving(project, app, number)
            world.record(project, app, "serving", f"revision {number} serves")
            _forget_old(world, project, app)
        case MarkSettled(project, app):
            world.store.mark_settled(project, app)
        case MarkReady(project, app, number):
            world.store.mark_ready(project, app, number)
            world.record(project, app, "ready", f"revision {number} is ready, and gets no requests")
            _forget_old(world, project, app)
        case MarkFailed():
            _mark_failed(action, world)
        case ForgetApp(project, app):
            world.router.remove(project, app)
            _forget_releases(world, project, app, keep=0)
            world.store.forget_app(project, app)
            kept.of_app(project, app).forget()
            sweep_images(world)
        case StartTask():
            attempts.start(action, world)
        case MarkRunning():
            attempts.mark_running(action, world)
        case LookAtTask():
            attempts.look(action, world)
        case TellWait(project, run, why):
            attempts.tell_wait(world, project, run, why)
        case EndTask():
            attempts.end(action, world)
        case FinishTask():
            attempts.finish(action, world)
        case RemoveContainer(_, container):
            world.engine.remove(container)
        case _:
            assert_never(action)


def sweep_images(world: World) -> tuple[str, ...]:
    """Remove the images of this server that no revision, job or open run needs; return the ids of those that went.

    None goes while a build is under way.
    """
    # In this order: an image that is seen and whose build has ended is either wanted by now or left over.
    found = world.engine.image_ids()
    if building(world.store):
        return ()
    wanted = {use.image for use in uses(world.store)}
    left_over = [image for image in found if image not in wanted]
    for image in left_over:
        if building(world.store):  # one that began meanwhile may come to just this image: its source is an old one
            break
        world.engine.remove_image(image)
    gone = tuple(image for image in left_over if not world.engine.image_exists(image))
    for image in gone:
        folder.forget(image)
    return gone


def _set_route(world: World, project: str, app: str) -> None:
    owner = world.store.app(project, app_of(app))
    wanted = next((view for view in (owner, *views(owner)) if view.name == app), None)
    if wanted is None:  # a tag that was taken away meanwhile
        return
    world.router.add(route_of(wanted, world.engine.subnets(project)))


def _mark_failed(action: MarkFailed, world: World) -> None:
    owner = action.owner
    hidden = veil.of(world.vault, owner.project, owner.name)
    tail: list[bytes] = []
    ports: tuple[tuple[str, int], ...] = ()
    try:
        if action.container:
            tail = [line.text for line in hidden.lines(world.engine.logs(action.container, tail=TAIL))]
            ports = world.engine.listening(owner)
    except S2IError as error:
        log.warning("no diagnosis of %s: %s", owner.name, error)
    reason = hidden.text(diagnosis.explain(action.cause, action.port, ports, tail))
    back = world.store.mark_failed(owner.project, owner.name, owner.number, reason)
    world.record(owner.project, owner.name, "failed", f"revision {owner.number}: {reason}")
    if back:
        world.record(owner.project, owner.name, "serving", f"revision {back} serves again")


def _forget_old(world: World, project: str, app: str) -> None:
    wanted = world.store.app(project, app)
    for old in world.store.revisions(project, app)[:-KEEP_REVISIONS]:
        if old.number not in wanted.numbers:
            world.store.forget_revision(project, app, old.number)
    _forget_releases(world, project, app, keep=KEEP_REVISIONS)
    sweep_images(world)


def _forget_releases(world: World, project: str, app: str, *, keep: int) -> None:
    runs = [one for one in world.store.runs(project, app) if one.release]
    for old in runs[keep:]:
        world.store.delete_run(project, old.name)
        kept.of_run(project, old.name).forget()
