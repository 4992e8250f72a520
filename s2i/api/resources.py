"""Jobs and job runs over HTTP: list, get, logs, delete."""

from __future__ import annotations

from litestar import delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from s2i.api.lines import streamed
from s2i.control.platform import Platform
from s2i.resources.job import Job, JobRun


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/jobs and jobruns."""
    return [*_jobs(platform), *_runs(platform)]


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
        lines = platform.run_logs(store.run(project, name), follow=follow, tail=tail)
        return streamed(lines, platform.stopping)

    @delete("/v1/projects/{project:str}/jobruns/{name:str}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        platform.delete_run(project, name)
        return {"deleted": name}

    return [every, one, logs, remove]
