"""Who may ask what: one row for each route, and none for what nobody may (THREATS T52)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import msgspec
from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from s2i.errors import E_NO_PROJECT, E_ROLE
from s2i.resources.people import Caller, Role

Who = Role | Literal["any", "admin"]


class Need(msgspec.Struct, frozen=True):
    """What a route takes: a role in its project, the server's admin, or any token, whose answer is cut to its roles.

    ``verb``: what it does, in words of the command line, when it changes something: each call leaves a line in the
    audit log. The first of the words is what it does it to.
    """

    who: Who
    verb: str = ""


PROJECT = "/v1/projects/{project}"
_BUNDLES: tuple[tuple[str, str, Who, str], ...] = (  # who may change a secret need not read it
    ("GET", "", "reader", ""),
    ("GET", "/{name}", "reader", ""),
    ("POST", "", "writer", "create"),
    ("PATCH", "/{name}", "writer", "update"),
    ("DELETE", "/{name}/{how}", "writer", "delete"),
)
NEEDS: dict[str, Need] = {
    "GET /v1/server": Need("any"),
    "POST /v1/server/stop": Need("admin", "server stop"),
    "GET /v1/openapi.json": Need("any"),
    "GET /v1/tls": Need("any"),
    "GET /v1/usage": Need("any"),
    "GET /metrics": Need("admin"),
    "GET /v1/images": Need("admin"),
    "POST /v1/images/gc": Need("admin", "image gc"),
    # People.
    "GET /v1/tokens": Need("admin"),
    "POST /v1/tokens": Need("admin", "token create"),
    "DELETE /v1/tokens/{name}": Need("admin", "token revoke"),
    "GET /v1/audit": Need("admin"),
    f"GET {PROJECT}/audit": Need("manager"),
    f"GET {PROJECT}/members": Need("reader"),
    f"PUT {PROJECT}/members/{{name}}": Need("manager", "member add"),
    f"DELETE {PROJECT}/members/{{name}}": Need("manager", "member remove"),
    # Projects. Whom a limit holds cannot raise it.
    "GET /v1/projects": Need("any"),
    "POST /v1/projects": Need("admin", "project create"),
    f"GET {PROJECT}": Need("reader"),
    f"PATCH {PROJECT}": Need("admin", "project update"),
    f"DELETE {PROJECT}/{{how}}": Need("manager", "project delete"),
    f"POST {PROJECT}/restore": Need("manager", "project restore"),
    f"GET {PROJECT}/usage": Need("reader"),
    # Deployments.
    f"POST {PROJECT}/uploads": Need("writer", "app upload"),
    f"POST {PROJECT}/deployments": Need("writer", "app deploy"),
    f"GET {PROJECT}/deployments": Need("reader"),
    f"GET {PROJECT}/deployments/{{ident}}": Need("reader"),
    f"GET {PROJECT}/deployments/{{ident}}/events": Need("reader"),
    f"POST {PROJECT}/deployments/{{ident}}/cancel": Need("writer", "deployment cancel"),
    # Apps.
    f"GET {PROJECT}/apps": Need("reader"),
    f"GET {PROJECT}/apps/{{name}}": Need("reader"),
    f"GET {PROJECT}/apps/{{name}}/logs": Need("reader"),
    f"GET {PROJECT}/apps/{{name}}/scale-log": Need("reader"),
    f"POST {PROJECT}/apps/{{name}}/fits": Need("reader"),  # changes nothing
    f"PATCH {PROJECT}/apps/{{name}}/scale": Need("writer", "app scale"),
    f"PATCH {PROJECT}/apps/{{name}}/routing": Need("writer", "app routing"),
    f"PUT {PROJECT}/apps/{{name}}/traffic": Need("writer", "app traffic"),
    f"POST {PROJECT}/apps/{{name}}/stop": Need("writer", "app stop"),
    f"POST {PROJECT}/apps/{{name}}/start": Need("writer", "app start"),
    f"POST {PROJECT}/apps/{{name}}/restart": Need("writer", "app restart"),
    f"POST {PROJECT}/apps/{{name}}/rollback": Need("writer", "app rollback"),
    f"DELETE {PROJECT}/apps/{{name}}": Need("writer", "app delete"),
    # Jobs and their runs.
    f"GET {PROJECT}/jobs": Need("reader"),
    f"GET {PROJECT}/jobs/{{name}}": Need("reader"),
    f"PATCH {PROJECT}/jobs/{{name}}/settings": Need("writer", "job update"),
    f"PUT {PROJECT}/jobs/{{name}}/schedule": Need("writer", "job schedule"),
    f"DELETE {PROJECT}/jobs/{{name}}/schedule": Need("writer", "job schedule"),
    f"DELETE {PROJECT}/jobs/{{name}}": Need("writer", "job delete"),
    f"POST {PROJECT}/jobs/{{name}}/runs": Need("writer", "job submit"),
    f"GET {PROJECT}/jobruns": Need("reader"),
    f"GET {PROJECT}/jobruns/{{name}}": Need("reader"),
    f"GET {PROJECT}/jobruns/{{name}}/events": Need("reader"),
    f"GET {PROJECT}/jobruns/{{name}}/logs": Need("reader"),
    f"POST {PROJECT}/jobruns/{{name}}/resubmit": Need("writer", "jobrun resubmit"),
    f"POST {PROJECT}/jobruns/{{name}}/cancel": Need("writer", "jobrun cancel"),
    f"DELETE {PROJECT}/jobruns/{{name}}": Need("writer", "jobrun delete"),
    # Volumes and services: who may do away with data, or take it along, may read secrets, too.
    f"GET {PROJECT}/volumes": Need("reader"),
    f"GET {PROJECT}/volumes/{{name}}": Need("reader"),
    f"POST {PROJECT}/volumes": Need("writer", "volume create"),
    f"DELETE {PROJECT}/volumes/{{name}}": Need("manager", "volume delete"),
    f"GET {PROJECT}/services": Need("reader"),
    f"GET {PROJECT}/services/{{name}}": Need("reader"),
    f"POST {PROJECT}/services": Need("writer", "service create"),
    f"DELETE {PROJECT}/services/{{name}}/{{how}}": Need("manager", "service delete"),
    f"GET {PROJECT}/services/{{name}}/backup": Need("manager", "service backup"),
    f"POST {PROJECT}/services/{{name}}/restore": Need("manager", "service restore"),
    # Domains: which host is whose is a matter between projects.
    f"GET {PROJECT}/domains": Need("reader"),
    f"PUT {PROJECT}/domains/{{name}}": Need("manager", "domain map"),
    f"DELETE {PROJECT}/domains/{{name}}": Need("manager", "domain unmap"),
    **{
        f"{method} {PROJECT}/{kind}s{rest}": Need(who, verb and f"{kind} {verb}")
        for kind in ("secret", "configmap")
        for method, rest, who, verb in _BUNDLES
    },
    f"GET {PROJECT}/secrets/{{name}}/values": Need("manager", "secret decode"),
}


def need_of(method: str, template: str | None) -> Need | None:
    """Return what a route takes, None when it has no row."""
    return NEEDS.get(f"{method} {template}")


def admit(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """Refuse whoever may not ask this. Raises E_NO_PROJECT, E_ROLE.

    To whom a project is none of their business it is told as one that is not there, before anything is looked up.
    """
    caller: Caller = connection.scope["state"]["caller"]
    method = str(connection.scope.get("method", ""))
    need = need_of(method, connection.scope["path_template"])
    project = connection.path_params.get("project")
    if project is not None and caller.role(project) is None:
        raise E_NO_PROJECT(name=project)
    if need is None:
        raise E_ROLE(what=f"{method} of it", needs="what nobody has", name=caller.name, role="not more than others")
    if need.who == "any":
        return
    fits = caller.admin if need.who == "admin" or project is None else caller.may(need.who, project)
    if not fits:
        role = f"a {caller.role(project)} of {project}" if project else "no admin"
        what = f"`{need.verb}`" if need.verb else "this"
        if need.who == "admin":
            advice = "ask an admin of the server"
            raise E_ROLE(what=what, needs="an admin of the server", name=caller.name, role=role, advice=advice)
        advice = f"ask a manager of the project: `s2i project member add {project} {caller.name} --role {need.who}`"
        raise E_ROLE(what=what, needs=f"a {need.who}", name=caller.name, role=role, advice=advice)


def routes_of(app: Litestar) -> Iterator[str]:
    """Yield every route as NEEDS names it. Litestar's own answers to OPTIONS are none: the door takes none of these."""
    for route in app.routes:
        for handler in _handlers(route):
            for method in sorted(handler.http_methods - {"OPTIONS"}):
                yield f"{method} {route.path_format}"


def check_complete(routes: Iterable[str]) -> None:
    """Return unless a route has no row, so that no server begins with it. Raises RuntimeError."""
    if missing := sorted(set(routes) - NEEDS.keys()):
        raise RuntimeError(f"nobody has said who may ask for {', '.join(missing)}: see s2i/api/access.py")


def _handlers(route: object) -> list[HTTPRouteHandler]:
    return [one for one in getattr(route, "route_handlers", ()) if isinstance(one, HTTPRouteHandler)]
