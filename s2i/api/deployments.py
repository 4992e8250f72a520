"""Deployments over HTTP: begin, look, follow, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Stream

from s2i.api.body import decoded
from s2i.control.journal import Journal
from s2i.control.platform import Platform
from s2i.control.task import Request
from s2i.errors import E_FORBIDDEN, E_NOT_FOUND, S2IError
from s2i.resources.app import OPEN_DEPLOYMENT, Deployment
from s2i.sources import Folder

POLL_SECONDS = 0.02
NDJSON = "application/x-ndjson"


def routes(platform: Platform, *, local: bool) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/deployments."""

    @post("/v1/projects/{project:str}/deployments", sync_to_thread=True)
    def begin(project: FromPath[str], body: RawBody) -> Deployment:
        return platform.deployments.begin(project, _request(body, local=local), network=not local)

    @get("/v1/projects/{project:str}/deployments", sync_to_thread=True)
    def every(project: FromPath[str]) -> list[Deployment]:
        return list(platform.store.deployments(project))

    @get("/v1/projects/{project:str}/deployments/{ident:str}", sync_to_thread=True)
    def one(project: FromPath[str], ident: FromPath[str]) -> Deployment:
        return platform.store.deployment(project, ident)

    @get("/v1/projects/{project:str}/deployments/{ident:str}/events", sync_to_thread=True)
    def events(project: FromPath[str], ident: FromPath[str], start: FromQuery[int] = 0) -> Stream:
        start = max(start, 0)
        platform.store.deployment(project, ident)
        return Stream(_follow(platform, project, ident, start), media_type=NDJSON)

    @post("/v1/projects/{project:str}/deployments/{ident:str}/cancel", sync_to_thread=True)
    def cancel(project: FromPath[str], ident: FromPath[str]) -> Deployment:
        return platform.deployments.cancel(project, ident)

    return [begin, every, one, events, cancel]


def _request(body: bytes, *, local: bool) -> Request:
    request = decoded(body, Request)
    if isinstance(request.source, Folder) and not local:
        raise E_FORBIDDEN(what="a folder of the server", where_from="from the network")
    if request.git_allow and not local:
        raise E_FORBIDDEN(what="naming the hosts that are allowed", where_from="from the network")
    if request.secrets and not local:
        raise E_FORBIDDEN(what="sending a build's secrets", where_from="from the network")
    return request


async def _follow(platform: Platform, project: FromPath[str], ident: FromPath[str], start: int) -> AsyncIterator[bytes]:
    journal, offset = Journal(ident), 0
    while not platform.stopping.is_set():
        # The status first: what is written before the end is in the file when the status says so.
        try:
            ended = platform.store.deployment(project, ident).status not in OPEN_DEPLOYMENT
        except S2IError as error:
            if error.kind is E_NOT_FOUND:
                return  # it went with its app: who follows it asks for its end, and is told
            raise
        lines, offset = journal.read(start, offset)
        if lines:
            start = 0
            yield b"".join(lines)
        elif ended:
            return
        else:
            await asyncio.sleep(POLL_SECONDS)
