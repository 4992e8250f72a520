"""Domains of one's own over HTTP: map, list, unmap; and the certificate that vouches for all that are not public."""

from __future__ import annotations

import msgspec
from litestar import delete, get, put
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody

from s2i.api.body import decoded
from s2i.control.platform import Platform
from s2i.errors import E_DOMAIN_TAKEN, E_FORBIDDEN, E_NOT_FOUND, E_REQUEST, S2IError
from s2i.resources.app import Domain
from s2i.resources.domains import host
from s2i.resources.people import Caller


class DomainView(msgspec.Struct, frozen=True):
    """A domain, whose it is, and where it leads."""

    host: str
    tls: str
    project: str
    app: str
    url: str


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which app a domain is to lead to, and where its certificate is to come from (see Domain)."""

    app: str
    tls: str = "auto"


class Authority(msgspec.Struct, frozen=True):
    """The root certificate of this server's CA as PEM, and the port of HTTPS (0: it speaks none)."""

    root: str
    port: int


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/domains, and of /v1/tls."""
    at = "/v1/projects/{project:str}/domains"

    def view(project: str, app: str, one: Domain) -> DomainView:
        router = platform.router
        secure = router.tls_port and one.tls != "off"
        kind, port = ("https", router.tls_port) if secure else ("http", router.port)
        shown = "" if port == {"https": 443, "http": 80}[kind] else f":{port}"
        return DomainView(one.host, one.tls, project, app, f"{kind}://{one.host}{shown}")

    @get(at, sync_to_thread=True)
    def every(project: FromPath[str]) -> list[DomainView]:
        return [view(project, app.name, one) for app in platform.store.apps(project) for one in app.domains]

    @put(f"{at}/{{name:str}}", sync_to_thread=True)
    def add(project: FromPath[str], name: FromPath[str], body: RawBody, caller: NamedDependency[Caller]) -> DomainView:
        wish = decoded(body, Wish)
        try:
            made = msgspec.convert({"host": host(name), "tls": wish.tls}, Domain)
        except msgspec.ValidationError as error:
            raise E_REQUEST(why=error) from None
        try:
            platform.map_domain(project, wish.app, made)
        except S2IError as error:
            if error.kind is E_DOMAIN_TAKEN and not caller.role(str(error.facts["project"])):
                raise E_FORBIDDEN(what=f"the domain {made.host}", where_from="here: it leads elsewhere") from None
            raise
        return view(project, wish.app, made)

    @delete(f"{at}/{{name:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        wanted = host(name)
        for app in platform.store.apps(project):
            if any(one.host == wanted for one in app.domains):
                platform.unmap_domain(project, app.name, wanted)
                return {"unmapped": wanted}
        raise E_NOT_FOUND(what="domain", thing="domain", name=wanted, project=project)

    @get("/v1/tls", sync_to_thread=True)
    def tls() -> Authority:
        port = platform.router.tls_port
        return Authority(platform.router.authority() if port else "", port)

    return [every, add, remove, tls]
