"""Volumes over HTTP: list, get, create, delete."""

from __future__ import annotations

import msgspec
from litestar import delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody

from s2i.api.body import decoded
from s2i.control import volumes
from s2i.control.platform import Platform
from s2i.resources.volume import Volume

AT = "/v1/projects/{project:str}/volumes"


class New(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A volume to be: a name, and nothing that could lead anywhere."""

    name: str


class VolumeView(Volume, frozen=True):
    """One as callers see it. ``users``: who mounts it, in words; ``bytes``: in it, None where nobody has counted."""

    users: list[str] = []
    bytes: int | None = None


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/volumes."""
    store, world = platform.store, platform.world

    def view(one: Volume, sizes: dict[str, int]) -> VolumeView:
        fields = {field: getattr(one, field) for field in one.__struct_fields__}
        users = list(volumes.users(store, one.project, one.name))
        return VolumeView(**fields, users=users, bytes=sizes.get(one.name))

    @get(AT, sync_to_thread=True)
    def every(project: FromPath[str], size: FromQuery[bool] = False) -> list[VolumeView]:
        sizes = world.engine.volume_sizes(project) if size else {}
        return [view(one, sizes) for one in store.volumes(project)]

    @get(f"{AT}/{{name:str}}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str], size: FromQuery[bool] = False) -> VolumeView:
        found = store.volume(project, name)
        return view(found, world.engine.volume_sizes(project) if size else {})

    @post(AT, sync_to_thread=True)
    def create(project: FromPath[str], body: RawBody) -> VolumeView:
        return view(volumes.create(world, project, decoded(body, New).name), {})

    @delete(f"{AT}/{{name:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], name: FromPath[str]) -> dict[str, str]:
        volumes.delete(world, project, name)
        return {"deleted": name}

    return [every, one, create, remove]
