"""Tags: names for revisions, each with an address of its own. A tagged revision is reached as if it were an app."""

from __future__ import annotations

import msgspec

from s2i.errors import E_NAME
from s2i.resources.app import App
from s2i.resources.names import NAME, TAGGED

LABEL = 63  # characters of one part of a host name


def tag_name(value: str, app: str) -> str:
    """Return ``value`` when it can be a tag of ``app``. Raises E_NAME."""
    if not NAME.fullmatch(value) or TAGGED in value:
        raise E_NAME(what="tag", value=value, why="" if value else ": it is empty")
    if len(route_name(value, app)) > LABEL:
        raise E_NAME(what="tag", value=value, why=f": {route_name(value, app)} has more than {LABEL} characters")
    return value


def route_name(tag: str, app: str) -> str:
    """Return what a tagged revision is called by the router: "next---shop"."""
    return f"{tag}{TAGGED}{app}"


def app_of(name: str) -> str:
    """Return the app of a route: of "next---shop" and "shop" it is "shop"."""
    return name.rpartition(TAGGED)[2]


def views(app: App) -> tuple[App, ...]:
    """Return each tagged revision as an app of its own: it sleeps without requests, whatever the app itself does."""
    if app.deleting:
        return ()
    return tuple(
        msgspec.structs.replace(
            app,
            name=route_name(tag, app.name),
            target=number,
            serving=number,
            traffic=((number, 100),),
            scale=msgspec.structs.replace(app.scale, min=0),
            domains=(),
            tags=(),
        )
        for tag, number in app.tags
    )
