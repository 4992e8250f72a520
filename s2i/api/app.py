"""The HTTP face of one server: JSON in, JSON or lines out, every failure in one form."""

from __future__ import annotations

import logging
import secrets
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response
from litestar.exceptions import HTTPException

from s2i.api import apps, bundles, deployments, domains, images, jobs, projects, server, services, usage, volumes
from s2i.control.platform import Platform
from s2i.errors import (
    E_BUSY,
    E_DOCKER,
    E_FORBIDDEN,
    E_INTERNAL,
    E_NEVER_STARTED,
    E_NO_PROJECT,
    E_NO_SERVICE,
    E_NO_SUCH_REVISION,
    E_NO_VOLUME,
    E_NOT_FOUND,
    E_PROJECT_DELETED,
    E_QUOTA,
    E_REQUEST,
    S2IError,
)

BODY_LIMIT = 1 << 20  # bytes
STATUS = {2: 400, 3: 422, 4: 422, 5: 422, 6: 500, 7: 409, 75: 503, 130: 409}  # by exit code
STATUS_OF = {
    E_NOT_FOUND: 404,
    E_NO_SUCH_REVISION: 404,
    E_PROJECT_DELETED: 409,
    E_NEVER_STARTED: 404,
    E_NO_PROJECT: 404,
    E_NO_VOLUME: 404,
    E_NO_SERVICE: 404,
    E_QUOTA: 403,
    E_FORBIDDEN: 403,
    E_DOCKER: 503,
    E_BUSY: 409,
}

_Request = Request[Any, Any, Any]

log = logging.getLogger("s2i")


def make_app(platform: Platform, *, local: bool) -> Litestar:
    """Return the API of ``platform``. ``local``: callers are the server's own user, on a unix socket."""

    def guard(request: _Request) -> None:
        """Refuse whatever is asked of a deleted project but its end and its return."""
        project = request.path_params.get("project", "")
        if project and request.url.path not in (f"{projects.ALL}/{project}/{how}" for how in ("hard", "restore")):
            platform.store.check_project(project)

    return Litestar(
        [
            *server.routes(platform),
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
        ],
        before_request=guard,
        exception_handlers={S2IError: _refused, HTTPException: _http, Exception: _broken},
        request_max_body_size=BODY_LIMIT,
        openapi_config=None,
        logging_config=None,
    )


def _refused(_request: _Request, error: S2IError) -> Response[bytes]:
    status = STATUS_OF.get(error.kind, STATUS.get(error.exit, 500))
    body = msgspec.json.encode({"error": {**error.as_dict(), "exit": error.exit}})
    headers = {"Retry-After": "2"} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)


def _http(request: _Request, error: HTTPException) -> Response[bytes]:
    answer = _refused(request, E_REQUEST(why=error.detail))
    answer.status_code = error.status_code
    return answer


def _broken(request: _Request, error: Exception) -> Response[bytes]:
    """Tell the caller an id and the log the rest: a traceback is nobody else's business (THREATS T71)."""
    ident = secrets.token_hex(4)
    log.error("request %s failed: %s %s", ident, request.method, request.url.path, exc_info=error)
    return _refused(request, E_INTERNAL(why=f"the server's log has it under {ident}"))
