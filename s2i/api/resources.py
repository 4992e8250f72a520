"""Apps, jobs and job runs over HTTP: list, get, logs, delete."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from litestar import delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from s2i.api.lines import in_thread
from s2i.control.platform import Platform
from s2i.errors import E_NEVER_STARTED, S2IError
from s2i.resources.app import App, Deployment, Event, Revision
from s2i.resources.job import Job, JobRun
from s2i.resources.names import project_words

TEXT = "text/plain; charset=utf-8"


class AppView(msgspec.Struct, frozen=True):
    """An app as callers see it: ``status`` is "ready", "building", "deploying", "failed", "interrupted" or "deleting".

    One that never was has no revision, and as ``reason`` what became of its deployment.
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
    revisions: list[Revision] = []
    events: list[Event] = []


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/apps, jobs and jobruns."""
    return [*_apps(platform), *_jobs(platform), *_runs(platform)]


def _apps(platform: Platform) -> list[HTTPRouteHandler]:
    store = platform.store

    @get("/v1/projects/{project:str}/apps", sync_to_thread=True)
    def every(project: FromPath[str]) -> list[AppView]:
        unborn = [_unborn(platform, one) for one in platform.deployments.unborn(project)]
        return sorted([*(_view(platform, app) for app in store.apps(project)), *unborn], key=lambda view: view.name)

    @get("/v1/projects/{project:str}/apps/{name:str}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> AppView:
        if found := next((one for one in platform.deployments.unborn(project) if one.name == name), None):
            return _unborn(platform, found)
        view = _view(platform, store.app(project, name))
        revisions, events = list(store.revisions(project, name)), list(store.events(project, name))
        return msgspec.structs.replace(view, revisions=revisions, events=events)

    @get("/v1/projects/{project:str}/apps/{name:str}/logs", sync_to_thread=True)
    def logs(
        project: FromPath[str], name: FromPath[str], follow: FromQuery[bool] = False, tail: FromQuery[int | None] = None
    ) -> Stream:
        if found := next((one for one in platform.deployments.unborn(project) if one.name == name), None):
            raise _never_started(found)
        lines = platform.app_logs(store.app(project, name), follow=follow, tail=tail)
        return _stream(lines, platform)

    @delete("/v1/projects/{project:str}/apps/{name:str}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        platform.delete_app(project, name)
        return {"deleted": name}

    return [every, one, logs, remove]


def _jobs(platform: Platform) -> list[HTTPRouteHandler]:
    @get("/v1/projects/{project:str}/jobs", sync_to_thread=True)
    def every(project: FromPath[str]) -> list[Job]:
        return list(platform.store.jobs(project))

    @get("/v1/projects/{project:str}/jobs/{name:str}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> Job:
        return platform.store.job(project, name)

    @delete("/v1/projects/{project:str}/jobs/{name:str}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        platform.delete_job(project, name)
        return {"deleted": name}

    return [every, one, remove]


def _runs(platform: Platform) -> list[HTTPRouteHandler]:
    store = platform.store

    @get("/v1/projects/{project:str}/jobruns", sync_to_thread=True)
    def every(project: FromPath[str]) -> list[JobRun]:
        return list(store.runs(project))

    @get("/v1/projects/{project:str}/jobruns/{name:str}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> JobRun:
        return store.run(project, name)

    @get("/v1/projects/{project:str}/jobruns/{name:str}/logs", sync_to_thread=True)
    def logs(
        project: FromPath[str], name: FromPath[str], follow: FromQuery[bool] = False, tail: FromQuery[int | None] = None
    ) -> Stream:
        return _stream(platform.run_logs(store.run(project, name), follow=follow, tail=tail), platform)

    @delete("/v1/projects/{project:str}/jobruns/{name:str}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        platform.delete_run(project, name)
        return {"deleted": name}

    return [every, one, logs, remove]


def _stream(lines: Iterator[bytes], platform: Platform) -> Stream:
    return Stream(in_thread(lines, platform.stopping), media_type=TEXT)


def _view(platform: Platform, app: App) -> AppView:
    status = "deleting" if app.deleting else "deploying" if app.target != app.serving else "ready"
    if not app.target:
        status = "failed"
    shown = app.serving or app.target
    found = next((one for one in platform.store.revisions(app.project, app.name) if one.number == shown), None)
    url = platform.router.url(app.project, app.name)
    return AppView(
        project=app.project,
        name=app.name,
        url=url,
        status=status,
        revision=app.serving,
        image=found.image if found else "",
        source=found.source if found else "",
        commit=found.commit if found else "",
        created=app.created,
        reason=app.reason,
    )


def _never_started(one: Deployment) -> S2IError:
    """Return what is said to who asks for the log of a name that has a deployment and, as yet, no app."""
    from s2i.images.runs import shelf

    why = "it is being built" if one.status == "building" else _why(one) or f"its deployment was {one.status}"
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
