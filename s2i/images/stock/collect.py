"""Which images may go, and why the others stay. Pure: what is there in, a verdict each out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from s2i.images.stock.listing import Stored
from s2i.resources import labels


class Built(msgspec.Struct, frozen=True):
    """What is known of an image that was built from this home: what it is called, when it was last and first built."""

    title: str
    built: float
    made: float = 0.0


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of one image: ``why`` it goes, or stays."""

    image: Stored
    goes: bool
    why: str


class Policy(msgspec.Struct, frozen=True):
    """How much goes. Of the builds that lost their name, those that are older than ``before`` (epoch seconds) and not
    among the last ``keep`` of their title; of those that nobody here knows, what is older than ``unknown``.
    """

    keep: int = 2  # so that one can go back to them
    before: float = math.inf
    unknown: float = -math.inf


DEFAULT = Policy()


class Server(msgspec.Struct, frozen=True):
    """What the server of this home says: its id, the images that it needs and for what, whether it builds now."""

    id: str = ""
    needs: Mapping[str, str] = {}
    building: bool = False


def verdicts(
    images: Sequence[Stored], built: Mapping[str, Built], server: Server, policy: Policy = DEFAULT
) -> tuple[Verdict, ...]:
    """Return what becomes of each image that carries a label of s2i's.

    ``built``: the images that this home built, by id. Labels are inherited, and those of `s2i build` do not say from
    which home: one of these that is not among them stays, unless the policy is to take such ones too.
    """
    chosen = _superseded(images, built, policy)
    found = []
    for one in images:
        if stays := _stays(one, built, server, policy):
            found.append(Verdict(one, False, stays))
        elif of_server(one, server.id):
            found.append(Verdict(one, True, "no revision, job or run needs it any more"))
        else:
            found.append(Verdict(one, *chosen.get(one.id, (True, "it has no name, and nobody here knows it"))))
    return tuple(found)


def of_server(one: Stored, server: str) -> bool:
    """Say whether the server of that id built the image for an app or a job."""
    return bool(server) and one.label(labels.SERVER) == server and not one.label(labels.BUILD)


def _stays(one: Stored, built: Mapping[str, Built], server: Server, policy: Policy) -> str:
    """Return why an image stays whatever its age and number; "" when it may go."""
    if one.tags:
        return f"it is called {', '.join(one.tags)}"
    if one.id in server.needs:
        return server.needs[one.id]
    if one.containers:
        return f"the container {one.containers[0]} is made of it"
    if not one.label(labels.BUILD):
        if not server.id:
            return "the server that built it cannot be asked"
        if not of_server(one, server.id):
            return "another server built it"
        return "the server is building something" if server.building else ""
    if one.id not in built and not one.created < policy.unknown:
        return "it was not built from here"
    return ""


def _superseded(images: Sequence[Stored], built: Mapping[str, Built], policy: Policy) -> Mapping[str, tuple[bool, str]]:
    """Return, of the nameless images of `s2i build`, whether each goes and why."""
    titles: dict[str, list[Stored]] = {}
    for one in images:
        if one.id in built and one.label(labels.BUILD) and not one.tags:
            titles.setdefault(built[one.id].title, []).append(one)
    found = {}
    for title, rows in titles.items():
        rows.sort(key=lambda one: (-built[one.id].built, one.id))
        for number, one in enumerate(rows):
            if number < policy.keep:
                found[one.id] = (False, f"one of the last {policy.keep} builds of {title} whose name a later one took")
            elif built[one.id].built >= policy.before:
                found[one.id] = (False, f"a later build of {title} took its name, not long ago")
            else:
                found[one.id] = (True, f"a later build of {title} took its name")
    return found
