"""Apps over HTTP: list, get, logs, scale, traffic, stop, start, restart, roll back, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Stream

from s2i.api.body import decoded
from s2i.api.lines import streamed
from s2i.control import quota
from s2i.control.course import before_of
from s2i.control.logs import Wish
from s2i.control.platform import Platform
from s2i.control.scaling import Logged
from s2i.errors import E_NEVER_STARTED, E_NO_REVISION, S2IError
from s2i.resources.app import App, Deployment, Domain, Event, Revision, Routing, Scale
from s2i.resources.change import Change, config_after
from s2i.resources.config import checked_traffic
from s2i.resources.names import project_words
from s2i.resources.tags import route_name, tag_name

LOGS_AHEAD = 8  # pieces of a log that are read before the caller has taken them
AT = "/v1/projects/{project:str}/apps"


class AppView(msgspec.Struct, frozen=True):
    """An app as callers see it.

    ``status``: "ready", "asleep" (no instance runs, a request starts one), "stopped", "building", "deploying",
    "failed", "interrupted" or "deleting". One that never was has no revision, and as ``reason`` what became of its
    deployment. ``traffic``: percent by revision; ``running``: its instances that take requests.
    ``fallback``: the revision that serves again if the new one ends within seconds of its start, 0 for none.
    ``outdated``: the secrets and configmaps that have changed since it started.
    """

    project: str
    name: str
    url: str
    status: str
    revision: int
    image: str = ""
    source: str = ""
    commit: str = ""
    created: float = 0.0
    reason: str = ""
    scale: Scale = Scale()
    routing: Routing = Routing()
    traffic: dict[int, int] = {}
    running: int = 0
    fallback: int = 0
    outdated: list[str] = []
    secure_url: str = ""
    domains: tuple[Domain, ...] = ()
    tags: tuple[TagView, ...] = ()
    revisions: list[Revision] = []
    events: list[Event] = []


class TagView(msgspec.Struct, frozen=True):
    """A name for a revision, and where that is reached by it."""

    tag: str
    revision: int
    url: str


class Traffic(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where requests are to go: percent by revision, () for the newest that can serve, None for as it is.

    ``tags``: revisions by the name that they are to have; ``untag``: names that are to go.
    """

    percents: tuple[tuple[int, int], ...] | None = None
    tags: dict[str, int] = {}
    untag: tuple[str, ...] = ()


class Fits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What would be otherwise with an app, and whether a revision would be made of it."""

    change: Change = Change()
    revision: bool = False


class Rollback(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to go back to; 0: what served before."""

    revision: int = 0


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/apps."""
    return [*_looks(platform), *_changes(platform), *_rollouts(platform)]


def _looks(platform: Platform) -> list[HTTPRouteHandler]:
    store = platform.store

    @get(AT, sync_to_thread=True)
    def every(project: FromPath[str]) -> list[AppView]:
        unborn = [_unborn(platform, one) for one in platform.deployments.unborn(project)]
        apps, revisions = store.apps(project), store.revisions_by_app(project)
        views = [_view(platform, app, revisions.get((project, app.name), ())) for app in apps]
        return sorted([*views, *unborn], key=lambda view: view.name)

    @get(f"{AT}/{{name:str}}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> AppView:
        if found := platform.deployments.unborn_of(project, name):
            return _unborn(platform, found)
        app, revisions = store.app(project, name), list(store.revisions(project, name))
        view = _view(platform, app, revisions)
        return msgspec.structs.replace(view, revisions=revisions, events=list(store.events(project, name)))

    @get(f"{AT}/{{name:str}}/logs", sync_to_thread=True)
    def logs(
        project: FromPath[str],
        name: FromPath[str],
        follow: FromQuery[bool] = False,
        tail: FromQuery[int | None] = None,
        instance: FromQuery[str] = "",
        previous: FromQuery[bool] = False,
    ) -> Stream:
        if found := platform.deployments.unborn_of(project, name):
            raise _never_started(found)
        wish = Wish(tail, instance, previous, follow)
        return streamed(platform.app_logs(store.app(project, name), wish), platform.stopping, ahead=LOGS_AHEAD)

    @get(f"{AT}/{{name:str}}/scale-log", sync_to_thread=True)
    def scale_log(project: FromPath[str], name: FromPath[str]) -> list[Logged]:
        store.app(project, name)
        return list(platform.autoscaler.log(project, name))

    return [every, one, logs, scale_log]


def _changes(platform: Platform) -> list[HTTPRouteHandler]:
    @patch(f"{AT}/{{name:str}}/scale", sync_to_thread=True)
    def scale(project: FromPath[str], name: FromPath[str], body: RawBody) -> AppView:
        app = platform.change_settings(project, name, Change(scale=decoded(body, dict[str, Any])))
        return _changed(platform, app, "scale", f"{app.scale.min} to {app.scale.max} instances")

    @patch(f"{AT}/{{name:str}}/routing", sync_to_thread=True)
    def routing(project: FromPath[str], name: FromPath[str], body: RawBody) -> AppView:
        app = platform.change_settings(project, name, Change(routing=decoded(body, dict[str, Any])))
        return _changed(platform, app, "routing", f"visibility {app.routing.visibility}")

    @put(f"{AT}/{{name:str}}/traffic", sync_to_thread=True)
    def traffic(project: FromPath[str], name: FromPath[str], body: RawBody) -> AppView:
        wish = decoded(body, Traffic)
        tags = {tag_name(tag, name): number for tag, number in wish.tags.items()}
        percents = None if wish.percents is None else checked_traffic(wish.percents)
        app = platform.set_traffic(project, name, percents, tags, wish.untag)
        said = [f"{tag} is r{number}" for tag, number in wish.tags.items()]
        said += [f"{tag} is no more" for tag in wish.untag]
        if wish.percents is not None:
            parts = " ".join(f"r{number}={percent}" for number, percent in wish.percents)
            said.append(parts or "all requests go to the newest that can serve")
        return _changed(platform, app, "traffic", ", ".join(said))

    @post(f"{AT}/{{name:str}}/stop", status_code=200, sync_to_thread=True)
    def stop(project: FromPath[str], name: FromPath[str]) -> AppView:
        return _changed(platform, platform.set_stopped(project, name, stopped=True), "stopped")

    @post(f"{AT}/{{name:str}}/start", status_code=200, sync_to_thread=True)
    def start(project: FromPath[str], name: FromPath[str]) -> AppView:
        return _changed(platform, platform.set_stopped(project, name, stopped=False), "started")

    @delete(f"{AT}/{{name:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        platform.delete_app(project, name)
        return {"deleted": name}

    @post(f"{AT}/{{name:str}}/fits", status_code=200, sync_to_thread=True)
    def fits(project: FromPath[str], name: FromPath[str], body: RawBody) -> dict[str, str]:
        wish, store = decoded(body, Fits), platform.store
        config = config_after(wish.change, before_of(store, project, name).config)
        quota.checked_app(store, project, name, wish.change, config if wish.revision else None)
        return {"fits": name}

    return [scale, routing, traffic, stop, start, remove, fits]


def _rollouts(platform: Platform) -> list[HTTPRouteHandler]:
    store = platform.store

    @post(f"{AT}/{{name:str}}/restart", sync_to_thread=True)
    def restart(project: FromPath[str], name: FromPath[str]) -> Deployment:
        found = store.revision(project, name, _serving(store.app(project, name)))
        return platform.deployments.again(found, f"revision {found.number}, restarted", newest=True)

    @post(f"{AT}/{{name:str}}/rollback", sync_to_thread=True)
    def rollback(project: FromPath[str], name: FromPath[str], body: RawBody) -> Deployment:
        wanted, app = decoded(body, Rollback).revision, store.app(project, name)
        found = store.revision(project, name, wanted) if wanted else _before(platform, app)
        return platform.deployments.again(found, f"revision {found.number}")

    return [restart, rollback]


def _serving(app: App) -> int:
    if not app.serving:
        raise E_NO_REVISION(name=app.name, why="none of its revisions serves")
    return app.serving


def _before(platform: Platform, app: App) -> Revision:
    """Return the newest revision that served before and differs from what serves now. Raises E_NO_REVISION."""
    now = platform.store.revision(app.project, app.name, _serving(app))
    for one in reversed(platform.store.revisions(app.project, app.name)):
        differs = (one.image, one.config) != (now.image, now.config)
        if one.number < now.number and one.status == "retired" and differs:
            return one
    raise E_NO_REVISION(name=app.name, why="no other one has served before")


def _changed(platform: Platform, app: App, what: str, text: str = "") -> AppView:
    platform.tell(app, what, text)
    platform.loop.kick()
    return _view(platform, app, platform.store.revisions(app.project, app.name))


def _view(platform: Platform, app: App, revisions: Sequence[Revision]) -> AppView:
    shown = app.serving or app.target
    found = next((one for one in revisions if one.number == shown), None)
    target = platform.loop.targets.get((app.project, app.name))
    router, public = platform.router, app.routing.visibility != "private"
    secure = f"https://{app.name}.{app.project}.localhost:{router.tls_port}" if router.tls_port else ""
    fleets = target.fleets if target else {}
    running = sum(len(fleet.addresses) for number, fleet in fleets.items() if number != app.fallback)
    return AppView(
        project=app.project,
        name=app.name,
        url=router.url(app.project, app.name) if public else "",
        secure_url=secure if public else "",
        domains=app.domains,
        tags=tuple(
            TagView(tag, number, router.url(app.project, route_name(tag, app.name)) if public else "")
            for tag, number in app.tags
        ),
        status=_status(app, running),
        revision=app.serving,
        image=found.image if found else "",
        source=found.source if found else "",
        commit=found.commit if found else "",
        created=app.created,
        reason=app.reason,
        scale=app.scale,
        routing=app.routing,
        traffic=app.percents,
        running=running,
        fallback=app.fallback,
        outdated=list(platform.world.vault.outdated(app.project, found.config)) if found else [],
    )


def _status(app: App, running: int) -> str:
    if app.deleting:
        return "deleting"
    if not app.target:
        return "failed"
    if app.target != app.serving:
        return "deploying"
    if app.stopped:
        return "stopped"
    return "ready" if running or app.scale.min else "asleep"


def _never_started(one: Deployment) -> S2IError:
    """Return what is said to who asks for the log of a name that has a deployment and, as yet, no app."""
    from s2i.images.runs import shelf

    why = (
        "it is being built" if one.status in ("queued", "building") else _why(one) or f"its deployment was {one.status}"
    )
    shows = f"`s2i app get {one.name}{project_words(one.project)}` shows what is known of it"
    built = (shelf.place() / one.id).is_dir()
    return E_NEVER_STARTED(
        name=one.name, why=why, look=f"`s2i buildrun logs {one.id}` shows the log of its build" if built else shows
    )


def _why(one: Deployment) -> str:
    error = one.error or {}
    return ": ".join(str(error[key]) for key in ("found", "message") if error.get(key))


def _unborn(platform: Platform, one: Deployment) -> AppView:
    """Return what a caller sees of a name that has a deployment and, as yet, no app."""
    return AppView(
        project=one.project,
        name=one.name,
        url=platform.router.url(one.project, one.name),
        status=one.status,
        revision=0,
        source=one.source,
        created=one.created,
        reason=_why(one),
    )
