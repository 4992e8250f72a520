"""From what a person types as IMAGE to an image; and what the server of this home needs images for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from s2i import dirs
from s2i.errors import E_NO_IMAGE

if TYPE_CHECKING:
    from s2i.images.stock.collect import Server
    from s2i.images.stock.listing import Client


class Use(msgspec.Struct, frozen=True):
    """One reason of the server's why an image stays (see control.usage.ImageUse)."""

    image: str
    project: str
    kind: str
    name: str
    text: str
    number: int = 0
    status: str = ""


class Needs(msgspec.Struct, frozen=True):
    """What the server says of the images that it needs; all empty when there is none to ask."""

    server: str = ""
    building: bool = False
    uses: tuple[Use, ...] = ()

    def as_server(self) -> Server:
        """Return it as what decides over images takes it."""
        from s2i.images.stock.collect import Server

        return Server(self.server, {use.image: use.text for use in reversed(self.uses)}, self.building)


def asked(*, start: bool) -> Needs:
    """Ask the server of this home. ``start``: start it when it does not run and there was one before."""
    from s2i.cli import client

    if start and (dirs.state() / "s2i.db").exists():
        return msgspec.convert(client.connect().call("GET", "/v1/images"), Needs)
    found = client.running()
    return msgspec.convert(found[0].call("GET", "/v1/images"), Needs) if found else Needs()


def find(engine: Client, name: str, project: str) -> dict[str, Any]:
    """Return what the engine says of the image that ``name`` means. Raises E_NO_IMAGE.

    A name or an id of the engine's goes before an app's or a job's; what `s2i build` called by itself comes last.
    """
    from s2i.images.stock.listing import details

    app, _, revision = name.partition("@")
    if not revision or ":" in revision:  # name@sha256:... is a digest
        if found := details(engine, name):
            return found
        revision = ""
    wanted = _of_project(app, revision, project)
    for image in filter(None, (wanted, "" if revision else f"s2i/{name}")):
        if found := details(engine, image):
            return found
    raise E_NO_IMAGE(name=name, why=_why(app, revision, project) if wanted or revision else "")


def _of_project(name: str, revision: str, project: str) -> str:
    """Return the id of an app's or a job's image, "" when there is no such app or job, or no server to say so."""
    mine = [use for use in asked(start=False).uses if (use.project, use.name) == (project, name)]
    if revision:
        mine = [use for use in mine if use.kind == "app" and str(use.number) == revision]
    mine.sort(key=lambda use: use.status != "serving")
    return mine[0].image if mine else ""


def _why(app: str, revision: str, project: str) -> str:
    if revision:
        return f": the app {app} of the project {project} has no revision {revision} that is kept"
    return f": that of {app} of the project {project} was removed"
