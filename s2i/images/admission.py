"""What a build may start from, and what its image may be called: asked before anything is run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from s2i.errors import E_BASE_MISSING, E_BASE_ONBUILD, E_TAG
from s2i.images.events import StepEvent

if TYPE_CHECKING:
    import docker
    from docker.models.images import Image

OURS = "s2i.local/"
_FROM = re.compile(r"(?im)^[ \t]*FROM[ \t]+(?:--\S+[ \t]+)*(\S+)(?:[ \t]+AS[ \t]+(\S+))?")
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9][a-zA-Z0-9-]*)*)(?::[0-9]+)?"
_TAG = re.compile(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::(?P<version>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?")


def tag(value: str) -> str:
    """Return ``value`` when it can name an image, with ``:latest`` when it has no version. Raises E_TAG."""
    found = _TAG.fullmatch(value)
    if not found or len(value) > 255:
        raise E_TAG(value=value, why="it is not the name of an image")
    if value.startswith(OURS):
        raise E_TAG(value=value, why="base images of s2i are called like that")
    return value if found["version"] else f"{value}:latest"


def bases(dockerfile: str) -> tuple[str, ...]:
    """Return the images that a Dockerfile starts from, each once, as far as they stand there in plain words."""
    found: dict[str, None] = {}
    stages: set[str] = set()
    for image, alias in _FROM.findall(dockerfile):
        if image.lower() not in stages and image != "scratch" and "$" not in image:
            found[image] = None
        stages.add(alias.lower())
    return tuple(found)


def admit(
    client: docker.DockerClient, dockerfile: str, tags: Sequence[str], on_event: Callable[[StepEvent], None]
) -> None:
    """Make sure that each base image is here, brings no ONBUILD and does not lose its name to the new image.

    A base that is not here is pulled. Raises E_BASE_MISSING, E_BASE_ONBUILD, E_TAG.
    """
    for image in bases(dockerfile):
        if image_name(image) in map(image_name, tags):
            raise E_TAG(value=image, why="the build starts from the image of that name")
        triggers = tuple(_triggers(client, image, on_event))
        if triggers:
            raise E_BASE_ONBUILD(image=image, triggers=triggers)


def image_name(value: str) -> str:
    """Return one spelling for all names of an image: ``docker.io/library/python`` gives ``python:latest``."""
    name = value.removeprefix("docker.io/").removeprefix("index.docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def _triggers(client: docker.DockerClient, image: str, on_event: Callable[[StepEvent], None]) -> Iterator[str]:
    import docker.errors

    try:
        found = client.images.get(image)
    except docker.errors.ImageNotFound:
        found = _pulled(client, image, on_event)
    yield from (found.attrs.get("Config") or {}).get("OnBuild") or ()


def _pulled(client: docker.DockerClient, image: str, on_event: Callable[[StepEvent], None]) -> Image:
    import docker.errors
    import requests.exceptions

    missing = f"the base image {image} is not on this machine"
    if image.startswith(OURS):
        raise E_BASE_MISSING(why=missing, log=())
    name = f"pull {image}"
    on_event(StepEvent("started", name, name))
    try:
        found = client.images.pull(image_name(image))
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        on_event(StepEvent("failed", name, name))
        text = str(getattr(error, "explanation", None) or error)
        raise E_BASE_MISSING(why=f"{missing} and cannot be pulled", log=(text,)) from None
    on_event(StepEvent("done", name, name))
    return found
