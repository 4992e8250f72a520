"""An image that somebody else made: found here, or pulled from its registry."""

from __future__ import annotations

import threading
from collections.abc import Callable

import msgspec

from s2i.errors import E_TAG
from s2i.images.admission import image_name, is_name, look, settled
from s2i.images.pull import pull
from s2i.images.runs.wire import Wire
from s2i.patterns import lazily

_ID = lazily(r"sha256:[0-9a-f]{64}")


class Given(msgspec.Struct, frozen=True):
    """An image by id, and the TCP ports that it declares."""

    image: str
    ports: tuple[int, ...]


def named(value: str) -> str:
    """Return ``value`` when it can name an image: a name with or without version or digest, or an id. Raises E_TAG."""
    if _ID.fullmatch(value):
        return value
    name, at, digest = value.partition("@")
    if not is_name(name) or (at and not _ID.fullmatch(digest)):
        raise E_TAG(value=value, why="it is not the name of an image", advice="write it as name:version, or its ID")
    return image_name(value)


def given(name: str, emit: Callable[[dict[str, object]], None], cancelled: threading.Event) -> Given:
    """Return the image ``name`` (as ``named`` returns it), pulled first when it is not here.

    ``emit`` is told how much has come. Raises E_BASE_MISSING, E_DOCKERFILE, E_BUILD_CANCELLED, E_DOCKER.
    """
    from s2i.engines.docker import connection

    engine, wire = connection.wire(), Wire()
    found = look(engine, name)
    if found is None:
        why = f"the image {name} is not here, and cannot be pulled"
        pull(name, why, lambda event: emit(wire.step(event)), cancelled)
        found = look(engine, name)
    if found is None:  # removed between two looks
        raise E_TAG(value=name, why="the engine has no such image")
    config = found.get("Config") or {}
    settled(config, f"the image {name}")
    ports = (one.partition("/") for one in config.get("ExposedPorts") or {})
    return Given(str(found["Id"]), tuple(sorted(int(number) for number, _, kind in ports if kind in ("", "tcp"))))
