"""The API described as OpenAPI: made when it is first asked for, since who never asks should not pay for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import msgspec
from litestar import Litestar, Response, get
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.types import Method
from litestar.types.internal_types import PathParameterDefinition

import s2i


def route(handlers: Callable[[], Sequence[HTTPRouteHandler]]) -> HTTPRouteHandler:
    """Return the handler of /v1/openapi.json, which describes what ``handlers`` returns."""
    document = functools.cache(lambda: _document(handlers()))

    @get("/v1/openapi.json", sync_to_thread=True)
    def openapi() -> Response[bytes]:
        return Response(document(), media_type="application/json")

    return openapi


def _document(handlers: Sequence[HTTPRouteHandler]) -> bytes:
    """Return the description, from an application of its own that is gone afterwards."""
    from litestar.openapi.config import OpenAPIConfig
    from litestar.openapi.spec import Components, SecurityScheme

    bearer = SecurityScheme(
        type="http", scheme="bearer", description="A token of `s2i token create`; none on the socket."
    )
    config = OpenAPIConfig(
        title="s2i",
        version=s2i.__version__,
        operation_id_creator=_operation,
        security=[{"token": []}],
        components=Components({}, security_schemes={"token": bearer}),
    )
    app = Litestar(
        handlers,
        openapi_config=config,
        logging_config=None,
        dependencies={"caller": Provide(_nobody, sync_to_thread=False)},
    )
    return msgspec.json.encode(app.openapi_schema.to_schema())


def _operation(_handler: HTTPRouteHandler, method: Method, path: list[str | PathParameterDefinition]) -> str:
    """Return a name for one call: a method on a path, as get_v1_projects_project."""
    parts = (part if isinstance(part, str) else part.name for part in path)
    return "_".join((method.lower(), *parts)).replace("-", "_").replace(".", "_")


def _nobody() -> None:
    return None
