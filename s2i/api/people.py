"""Tokens, members of projects and the audit log over HTTP."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody

from s2i.api.body import decoded
from s2i.control.platform import Platform
from s2i.resources.audit import Deed
from s2i.resources.people import SECRET_BYTES, Member, Role, Token

MEMBERS = "/v1/projects/{project:str}/members"
TEN_YEARS = 3650 * 86400.0
MOST = 10_000  # lines of the audit log in one answer


class New(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token to be; it holds for ``seconds``, 0.0: until it is revoked."""

    name: str
    admin: bool = False
    seconds: Annotated[float, msgspec.Meta(ge=0, le=TEN_YEARS)] = 0.0


class TokenView(msgspec.Struct, frozen=True):
    """A token as callers see it; ``token`` itself only in the answer that made it."""

    name: str
    admin: bool
    created: float
    expires: float
    used: float
    roles: dict[str, Role] = {}
    token: str = ""


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a token is to be in a project."""

    role: Role


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers of /v1/tokens, of a project's members, and of the audit log."""
    return [*_tokens(platform), *_members(platform), *_audit(platform)]


def _tokens(platform: Platform) -> list[HTTPRouteHandler]:
    store = platform.store

    @get("/v1/tokens", sync_to_thread=True)
    def every() -> list[TokenView]:
        members = store.members()
        return [
            _view(one, {each.project: each.role for each in members if each.token == one.name})
            for one in store.tokens()
        ]

    @post("/v1/tokens", sync_to_thread=True)
    def create(body: RawBody) -> TokenView:
        wish, random = decoded(body, New), secrets.token_bytes(SECRET_BYTES)
        made, text = platform.people.create(wish.name, random, admin=wish.admin, seconds=wish.seconds)
        return msgspec.structs.replace(_view(made, {}), token=text)

    @delete("/v1/tokens/{name:str}", status_code=200, sync_to_thread=True)
    def revoke(name: FromPath[str]) -> dict[str, str]:
        platform.people.revoke(name)
        return {"revoked": name}

    return [every, create, revoke]


def _members(platform: Platform) -> list[HTTPRouteHandler]:
    @get(MEMBERS, sync_to_thread=True)
    def every(project: FromPath[str]) -> list[Member]:
        platform.store.project(project)
        return list(platform.store.members(project))

    @put(f"{MEMBERS}/{{name:str}}", sync_to_thread=True)
    def add(project: FromPath[str], name: FromPath[str], body: RawBody) -> Member:
        return platform.people.join(project, name, decoded(body, Wish).role)

    @delete(f"{MEMBERS}/{{name:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        platform.people.leave(project, name)
        return {"removed": name}

    return [every, add, remove]


def _audit(platform: Platform) -> list[HTTPRouteHandler]:
    @get("/v1/audit", sync_to_thread=True)
    def every(since: FromQuery[float] = 0.0, most: FromQuery[int] = 1000) -> list[Deed]:
        return list(platform.store.deeds("", since, min(max(most, 1), MOST)))

    @get("/v1/projects/{project:str}/audit", sync_to_thread=True)
    def one(project: FromPath[str], since: FromQuery[float] = 0.0, most: FromQuery[int] = 1000) -> list[Deed]:
        return list(platform.store.deeds(project, since, min(max(most, 1), MOST)))

    return [every, one]


def _view(one: Token, roles: dict[str, Role]) -> TokenView:
    return TokenView(one.name, one.admin, one.created, one.expires, one.used, roles)
