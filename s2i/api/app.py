"""The HTTP face of one server: JSON in, JSON or lines out, every failure in one form."""

from __future__ import annotations

import asyncio
import logging
import secrets
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import Scope

from s2i.api import (
    apps,
    auditing,
    bundles,
    deployments,
    domains,
    images,
    jobs,
    openapi,
    people,
    projects,
    server,
    services,
    usage,
    volumes,
)
from s2i.api.access import admit, check_complete, need_of, routes_of
from s2i.api.answers import refusal
from s2i.api.door import STREAMED, Door, Gate
from s2i.api.listener import Listening
from s2i.control.platform import Platform
from s2i.errors import E_INTERNAL, E_REQUEST, S2IError, disk_full
from s2i.resources.people import Caller

BODY_LIMIT = 1 << 20  # bytes

_Request = Request[Any, Any, Any]

log = logging.getLogger("s2i")


def make_app(
    platform: Platform, *, local: bool, hosts: frozenset[str] = frozenset(), listening: Listening | None = None
) -> Door:
    """Return the API of ``platform``. ``local``: callers are the server's own user, on a unix socket.

    Others need a token, and have to call the server by one of ``hosts``. ``listening``: what is told of that to admins.
    Raises RuntimeError when nobody has said who may ask for a route.
    """

    async def before(request: _Request) -> None:
        """Refuse whatever is asked of a deleted project but its end and its return; look at what is to change."""
        project, state = request.path_params.get("project", ""), request.scope["state"]
        need = need_of(request.method, request.scope["path_template"])
        audited = need is not None and need.verb != ""
        if audited and not request.url.path.endswith(STREAMED):
            state["about"] = auditing.named(await request.body())

        def look() -> None:
            if project and request.url.path not in (f"{projects.ALL}/{project}/{how}" for how in ("hard", "restore")):
                platform.store.check_project(project)
            if need and audited:
                about = state.get("about", auditing.Named())
                state["before"] = auditing.seen(platform, need, project, auditing.name_of(request.path_params, about))

        await asyncio.to_thread(look)

    def handlers() -> list[HTTPRouteHandler]:
        return [
            *server.routes(platform, listening),
            *people.routes(platform),
            *projects.routes(platform),
            *deployments.routes(platform, local=local),
            *apps.routes(platform),
            *jobs.routes(platform),
            *bundles.routes(platform),
            *volumes.routes(platform),
            *services.routes(platform),
            *usage.routes(platform),
            *images.routes(platform),
            *domains.routes(platform),
        ]

    api = Litestar(
        [*handlers(), openapi.route(handlers)],
        guards=[admit],
        before_request=before,
        dependencies={"caller": Provide(_caller, sync_to_thread=False)},
        exception_handlers={S2IError: _refused, HTTPException: _http, Exception: _broken},
        request_max_body_size=BODY_LIMIT,
        openapi_config=None,
        logging_config=None,
    )
    check_complete(routes_of(api))
    return Door(api, platform, None if local else Gate(hosts))


def _caller(scope: Scope) -> Caller:
    found: Caller = scope["state"]["caller"]
    return found


def _refused(request: _Request, error: S2IError) -> Response[bytes]:
    state, told = request.scope["state"], refusal(error)
    if told.status >= HTTPStatus.INTERNAL_SERVER_ERROR and error.kind is not E_INTERNAL and not state["caller"].local:
        # What the machine of the server lacks is told with its paths: these are nobody's business from afar.
        ident = secrets.token_hex(4)
        log.error("request %s failed: %s %s: %s", ident, request.method, request.url.path, error)
        status, error = told.status, E_INTERNAL(why=f"the server's log has it under {ident}")
        told = msgspec.structs.replace(refusal(error), status=status)
    state["code"] = error.code
    return Response(told.body, status_code=told.status, media_type=MediaType.JSON, headers=told.headers)


def _http(request: _Request, error: HTTPException) -> Response[bytes]:
    answer = _refused(request, E_REQUEST(why=error.detail))
    answer.status_code = error.status_code
    return answer


def _broken(request: _Request, error: Exception) -> Response[bytes]:
    """Tell the caller an id and the log the rest: a traceback is nobody else's business (THREATS T71)."""
    if full := disk_full(error):
        return _refused(request, full)
    ident = secrets.token_hex(4)
    log.error("request %s failed: %s %s", ident, request.method, request.url.path, exc_info=error)
    return _refused(request, E_INTERNAL(why=f"the server's log has it under {ident}"))
