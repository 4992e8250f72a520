"""Which images may go, and why the others stay. Pure: what is there in, a verdict each out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from s2i.images.stock.listing import Stored
from s2i.resources import labels

KEEP = 2  # superseded builds of one title that stay, so that one can go back to them


class Built(msgspec.Struct, frozen=True):
    """What is known of an image that was built from this home: what it is called, when it was last built."""

    title: str
    built: float


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of one image: ``why`` it goes, or stays."""

    image: Stored
    goes: bool
    why: str


class Server(msgspec.Struct, frozen=True):
    """What the server of this home says: its id, the images that it needs and for what, whether it builds now."""

    id: str = ""
    needs: Mapping[str, str] = {}
    building: bool = False


def verdicts(
    images: Sequence[Stored], built: Mapping[str, Built], server: Server, keep: int = KEEP, before: float = math.inf
) -> tuple[Verdict, ...]:
    """Return what becomes of each image that carries a label of s2i's.

    ``built``: the images of `s2i build` and of the server that this home built, by id. An image that another home
    built stays, and so does one that only inherited its labels: neither is among them. Of the builds that lost their
    name those go that are older than ``before`` (epoch seconds) and not among the last ``keep`` of their title.
    """
    chosen = _superseded(images, built, keep, before)
    found = []
    for one in images:
        if stays := _stays(one, built, server):
            found.append(Verdict(one, False, stays))
        else:
            found.append(Verdict(one, *chosen.get(one.id, (True, "no revision, job or run needs it any more"))))
    return tuple(found)


def of_server(one: Stored, server: str) -> bool:
    """Say whether the server of that id built the image for an app or a job."""
    return bool(server) and one.label(labels.SERVER) == server and not one.label(labels.BUILD)


def _stays(one: Stored, built: Mapping[str, Built], server: Server) -> str:
    """Return why an image stays whatever its age and number; "" when it may go."""
    if one.tags:
        return f"it is called {', '.join(one.tags)}"
    if one.containers:
        return f"the container {one.containers[0]} is made of it"
    if one.id in server.needs:
        return server.needs[one.id]
    if one.id not in built:
        return "it was not built from here"
    if not one.label(labels.BUILD) and not of_server(one, server.id):
        return "another server built it" if server.id else "the server that built it cannot be asked"
    if of_server(one, server.id) and server.building:
        return "the server is building something"
    return ""


def _superseded(
    images: Sequence[Stored], built: Mapping[str, Built], keep: int, before: float
) -> Mapping[str, tuple[bool, str]]:
    """Return, of the nameless images of `s2i build`, whether each goes and why."""
    titles: dict[str, list[Stored]] = {}
    for one in images:
        if one.id in built and one.label(labels.BUILD) and not one.tags:
            titles.setdefault(built[one.id].title, []).append(one)
    found = {}
    for title, rows in titles.items():
        rows.sort(key=lambda one: (-built[one.id].built, one.id))
        for number, one in enumerate(rows):
            if number < keep:
                found[one.id] = (False, f"one of the last {keep} builds of {title} whose name a later one took")
            elif built[one.id].built >= before:
                found[one.id] = (False, f"a later build of {title} took its name, not long ago")
            else:
                found[one.id] = (True, f"a later build of {title} took its name")
    return found
