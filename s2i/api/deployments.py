"""Deployments over HTTP: begin, look, follow, cancel."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from litestar import Request as Incoming
from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody
from litestar.response import Stream

from s2i.api.body import decoded
from s2i.api.door import UPLOADS
from s2i.control.journal import Journal
from s2i.control.platform import Platform
from s2i.control.task import Request
from s2i.errors import E_FORBIDDEN, E_NOT_FOUND, E_ONCE, E_REQUEST, S2IError
from s2i.resources.app import OPEN_DEPLOYMENT, Deployment
from s2i.resources.names import project_name
from s2i.resources.people import Caller
from s2i.sources import Folder, Upload, upload

POLL_SECONDS = 0.02
NDJSON = "application/x-ndjson"
KEY, KEY_LIMIT = "Idempotency-Key", 200
OURS = ("s2i/", "s2i.local/")  # names that are given on the server's machine


class Uploaded(msgspec.Struct, frozen=True):
    """A folder that has come: the id by which a deployment names it, within a quarter of an hour."""

    upload: str
    files: int


def routes(platform: Platform, *, local: bool) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/deployments and uploads."""

    repeating = threading.Lock()

    @post("/v1/projects/{project:str}/deployments", sync_to_thread=True)
    def begin(
        project: FromPath[str], body: RawBody, caller: NamedDependency[Caller], request: Incoming[Any, Any, Any]
    ) -> Deployment:
        if not (key := request.headers.get(KEY, "")):
            return begun(project, body, caller)
        once = _once(key, caller, body)
        with repeating:
            for one in platform.store.deployments(project):
                if one.once.partition(".")[0] == once.partition(".")[0]:
                    if one.once != once:
                        raise E_ONCE(id=one.id)
                    return one
            return begun(project, body, caller, once)

    def begun(project: str, body: bytes, caller: Caller, once: str = "") -> Deployment:
        request = _request(body, local=local)
        if not caller.admin:
            _check_image(platform, project, request.image)
        if not isinstance(request.source, Upload):
            return platform.deployments.begin(project, request, network=not local, once=once)
        sent = msgspec.structs.replace(request.source, project=project)  # whatever it says itself
        upload.claim(sent)
        try:
            request = msgspec.structs.replace(request, source=sent)
            return platform.deployments.begin(project, request, network=not local, once=once)
        except S2IError:
            upload.forget(project, sent.id)
            raise

    @post(f"/v1/projects/{{project:str}}{UPLOADS}", request_max_body_size=upload.LIMIT)
    async def receive(project: FromPath[str], request: Incoming[Any, Any, Any]) -> Uploaded:
        ident = await asyncio.to_thread(upload.begin, project_name(project), time.time())
        try:
            with upload.archive_of(project, ident).open("xb") as file:
                async for piece in request.stream():
                    await asyncio.to_thread(file.write, piece)
            return Uploaded(ident, await asyncio.to_thread(upload.unpack, project, ident))
        except BaseException:
            await asyncio.to_thread(upload.forget, project, ident)
            raise

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

    return [begin, receive, every, one, events, cancel]


def _once(key: str, caller: Caller, body: bytes) -> str:
    """Return the digests of who asks with which key, and for what. Raises E_REQUEST."""
    if len(key) > KEY_LIMIT:
        raise E_REQUEST(why=f"its {KEY} has more than {KEY_LIMIT} characters")
    digests = (hashlib.sha256(data).hexdigest() for data in (f"{caller.name} {key}".encode(), body))
    return ".".join(digests)


def _request(body: bytes, *, local: bool) -> Request:
    request = decoded(body, Request)
    if isinstance(request.source, Folder) and not local:
        raise E_FORBIDDEN(what="a folder of the server", where_from="from the network")
    if request.git_allow and not local:
        raise E_FORBIDDEN(what="naming the hosts that are allowed", where_from="from the network")
    if request.secrets and not local:
        raise E_FORBIDDEN(what="sending a build's secrets", where_from="from the network")
    return request


def _check_image(platform: Platform, project: str, image: str) -> None:
    """Return unless ``image`` may be what another project, or the server's owner, has built. Raises E_FORBIDDEN."""
    built, store = image.startswith("sha256:"), platform.store
    if built:
        own = {one.image for every in store.revisions_by_app(project).values() for one in every}
        own |= {one.image for one in store.jobs(project)}
        if image in own:
            return
    if built or image.startswith(OURS):
        raise E_FORBIDDEN(what="an image that another project may have made", where_from="from the network")


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
