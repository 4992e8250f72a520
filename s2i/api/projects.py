"""Projects over HTTP: list, get, create, change, delete."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from litestar import delete, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody

from s2i.api.body import decoded
from s2i.control import projects
from s2i.control.platform import Platform
from s2i.control.projects import Standing
from s2i.resources.names import project_name
from s2i.resources.project import NOTHING, Project, checked_limits

ALL = "/v1/projects"
AT = f"{ALL}/{{project:str}}"


class New(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A project to be. ``limits``: fields of Amounts by name."""

    name: str
    limits: dict[str, Any] = {}


class Changed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The limits that are to be otherwise: fields of Amounts by name, 0 for no limit."""

    limits: dict[str, Any] = {}


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers of /v1/projects and /v1/projects/P itself."""
    store = platform.store

    @get(ALL, sync_to_thread=True)
    def every() -> list[Standing]:
        return [projects.standing(platform, one) for one in store.projects()]

    @get(AT, sync_to_thread=True)
    def one(project: FromPath[str]) -> Standing:
        return projects.standing(platform, store.project(project))

    @post(ALL, sync_to_thread=True)
    def create(body: RawBody) -> Standing:
        wanted, now = decoded(body, New), platform.world.now()
        limits = checked_limits(NOTHING, wanted.limits)
        made = store.create_project(Project(project_name(wanted.name), limits, now))
        return projects.standing(platform, made)

    @patch(AT, sync_to_thread=True)
    def change(project: FromPath[str], body: RawBody) -> Standing:
        wish, now = decoded(body, Changed), platform.world.now()

        def changed(found: Project) -> Project:
            return projects.changed(found, checked_limits(found.limits, wish.limits), now)

        made = store.change_project(project, changed)
        platform.loop.kick()  # tasks that waited may begin
        return projects.standing(platform, made)

    @delete(f"{AT}/{{how:str}}", status_code=200, sync_to_thread=True)
    def remove(project: FromPath[str], how: FromPath[Literal["unused", "force"]]) -> dict[str, str]:
        projects.delete(platform, project, force=how == "force")
        return {"deleted": project}

    return [every, one, create, change, remove]
