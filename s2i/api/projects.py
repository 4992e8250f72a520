"""Projects over HTTP: list, get, create, change, delete, restore."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import delete, get, patch, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody

from s2i.api.body import decoded
from s2i.control import aside, projects
from s2i.control.platform import Platform
from s2i.control.projects import Deleted, How, Standing
from s2i.resources.names import project_name
from s2i.resources.people import Caller
from s2i.resources.project import NOTHING, Egress, Project, checked_limits

ALL = "/v1/projects"
AT = f"{ALL}/{{project:str}}"


class New(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project to be. ``limits``: fields of Amounts by name; ``egress``: see Project."""

    name: str
    limits: dict[str, Any] = {}
    egress: Egress = "all"


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be otherwise: limits, fields of Amounts by name, 0 for no limit; ``egress`` (None: as it is)."""

    limits: dict[str, Any] = {}
    egress: Egress | None = None


class Gone(msgspec.Struct, frozen=True):
    """A project that was deleted. ``until``: how long it can be restored, in epoch seconds; 0.0: not at all."""

    deleted: str
    until: float = 0.0


class Restored(msgspec.Struct, frozen=True):
    """A project that is back. ``lost``: its apps whose image is gone."""

    restored: str
    lost: list[str] = []


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers of /v1/projects and /v1/projects/P itself."""
    store = platform.store

    @get(ALL, sync_to_thread=True)
    def every(caller: NamedDependency[Caller], deleted: FromQuery[bool] = False) -> list[Standing] | list[Deleted]:
        if deleted:
            return [one for one in projects.deleted(platform) if caller.role(one.name)]
        return [projects.standing(platform, one) for one in store.projects() if caller.role(one.name)]

    @get(AT, sync_to_thread=True)
    def one(project: FromPath[str]) -> Standing:
        return projects.standing(platform, store.project(project))

    @post(ALL, sync_to_thread=True)
    def create(body: RawBody) -> Standing:
        wanted, now = decoded(body, New), platform.world.now()
        limits = checked_limits(NOTHING, wanted.limits)
        with store.as_one():  # nothing is closed that is not
            made = store.create_project(Project(project_name(wanted.name), limits, now, egress=wanted.egress))
            if wanted.egress == "none":
                projects.shielded(platform, made.name)
        return projects.standing(platform, made)

    @patch(AT, sync_to_thread=True)
    def change(project: FromPath[str], body: RawBody) -> Standing:
        wish, now = decoded(body, Changed), platform.world.now()

        def changed(found: Project) -> Project:
            return projects.changed(found, checked_limits(found.limits, wish.limits), wish.egress, now)

        with store.as_one():
            made = store.change_project(project, changed)
            if wish.egress:
                projects.shielded(platform, project)
        platform.loop.kick()  # tasks that waited may begin
        return projects.standing(platform, made)

    @delete(f"{AT}/{{how:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], how: FromPath[How]) -> Gone:
        left = projects.delete(platform, project, how)
        return Gone(project, left.until if left else 0.0)

    @post(f"{AT}/restore", status_code=200, sync_to_thread=True)
    def restore(project: FromPath[str]) -> Restored:
        return Restored(project, aside.restore(platform, project))

    return [every, one, create, change, remove, restore]
