"""Secrets and configmaps over HTTP: list, get, create, change, delete."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody

from s2i.api.body import FAULTS
from s2i.control import services
from s2i.control.platform import Platform
from s2i.errors import E_REQUEST
from s2i.resources.bundle import Bundle, BundleKind, Format


class New(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secret or a configmap to be: its values in base64."""

    name: str
    values: dict[str, bytes]
    format: Format = "generic"


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be otherwise: values beside those that are there, without the keys ``rm``.

    ``restart``: the apps that use it start anew with it.
    """

    values: dict[str, bytes] = {}
    rm: tuple[str, ...] = ()
    restart: bool = False


class BundleView(Bundle, frozen=True):
    """One as callers see it; ``values`` only where they were asked for. ``users``: who refers to it, in words."""

    values: dict[str, bytes] | None = None
    users: list[str] = []
    restarted: list[str] = []


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/secrets and configmaps."""
    return [*_of(platform, "secret"), *_of(platform, "configmap"), _values(platform)]


def _values(platform: Platform) -> HTTPRouteHandler:
    store, vault = platform.store, platform.world.vault

    # Apart from the secret itself, so that it can take another role, and leave a line in the audit log.
    @get("/v1/projects/{project:str}/secrets/{name:str}/values", sync_to_thread=True)
    def values(project: FromPath[str], name: FromPath[str]) -> BundleView:
        found = store.bundle(project, "secret", name)
        return _view(found, values=vault.values(found), users=vault.users(project, "secret", name))

    return values


def _of(platform: Platform, kind: BundleKind) -> list[HTTPRouteHandler]:
    store, vault = platform.store, platform.world.vault
    at = f"/v1/projects/{{project:str}}/{kind}s"

    @get(at, sync_to_thread=True)
    def every(project: FromPath[str]) -> list[Bundle]:
        return list(store.bundles(project, kind))

    @get(f"{at}/{{name:str}}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> BundleView:
        found = store.bundle(project, kind, name)
        values = vault.values(found) if kind == "configmap" else None
        return _view(found, values=values, users=vault.users(project, kind, name))

    @post(at, sync_to_thread=True)
    def create(project: FromPath[str], body: RawBody) -> BundleView:
        wanted = _decoded(body, New)
        made = vault.put(Bundle(project, kind, wanted.name, wanted.format), wanted.values, platform.world.now())
        return _view(made)

    @patch(f"{at}/{{name:str}}", sync_to_thread=True)
    def change(project: FromPath[str], name: FromPath[str], body: RawBody) -> BundleView:
        wish, found = _decoded(body, Changed), store.bundle(project, kind, name)
        values = {key: value for key, value in vault.values(found).items() if key not in wish.rm} | wish.values
        made = vault.put(msgspec.structs.replace(found, version=found.version + 1), values, platform.world.now())
        vault.tidy(project, kind, name)
        restarted = platform.restart_users(project, kind, name) if wish.restart else []
        return _view(made, users=vault.users(project, kind, name), restarted=restarted)

    @delete(f"{at}/{{name:str}}/{{how:str}}", status_code=200, sync_to_thread=True)
    def remove(
        project: FromPath[str], name: FromPath[str], how: FromPath[Literal["unused", "force"]]
    ) -> dict[str, str]:
        if kind == "secret":
            services.checked_secret(platform.world, project, name)
        vault.delete(project, kind, name, force=how == "force")
        return {"deleted": name}

    return [every, one, create, change, remove]


def _view(one: Bundle, **more: Any) -> BundleView:
    return BundleView(**{field: getattr(one, field) for field in one.__struct_fields__}, **more)


def _decoded(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except FAULTS as error:
        # What cannot be decoded may be a secret: only its place is told.
        raise E_REQUEST(why=str(error).partition(" - ")[2] or "it is no JSON of this kind") from None
