"""What a build may start from, and what its image may be called: asked before anything is run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from s2i.errors import E_BASE_MISSING, E_BASE_ONBUILD, E_BASE_PLATFORM, E_BUILD_CANCELLED, E_DOCKERFILE, E_TAG, S2IError
from s2i.images import platforms
from s2i.images.bases import table
from s2i.images.events import StepEvent
from s2i.patterns import lazily
from s2i.planning.stages import bases, in_kernel

if TYPE_CHECKING:
    from s2i.wire import Wire

Details = Mapping[str, Any]  # an image as the engine describes it

OURS = "s2i.local/"
BROUGHT = (
    "where it is, `docker save {image} | gzip > base.tgz`; here, `docker load --input base.tgz`. Or name a mirror of"
    ' Docker Hub in /etc/docker/daemon.json, {{"registry-mirrors": ["https://MIRROR"]}}, and restart the engine'
)
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9][a-zA-Z0-9-]*)*)(?::[0-9]+)?"
_TAG = lazily(rf"(?:{_HOST}/)?{_PART}(?:/{_PART})*(?::(?P<version>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?")


def is_name(value: str) -> bool:
    """Say whether ``value`` can name an image, with its version or without."""
    return len(value) <= 255 and bool(_TAG.fullmatch(value))


def tag(value: str) -> str:
    """Return ``value`` when it can name an image, with ``:latest`` when it has no version. Raises E_TAG."""
    found = _TAG.fullmatch(value)
    if not found or len(value) > 255:
        raise E_TAG(value=value, why="it is not the name of an image")
    if value.startswith(OURS):
        raise E_TAG(value=value, why="base images of s2i are called like that")
    return value if found["version"] else f"{value}:latest"


def name(engine: Wire, image: str, tags: Sequence[str]) -> None:
    """Give ``image`` (its ID) the names ``tags``, each with its version, whatever had them before."""
    for one in tags:
        repository, _, version = one.rpartition(":")
        engine.post(f"/images/{image}/tag", {"repo": repository, "tag": version})


def admit(
    engine: Wire,
    dockerfile: str,
    tags: Sequence[str],
    on_event: Callable[[StepEvent], None],
    cancelled: threading.Event | None = None,
    platform: str = "",
) -> dict[str, str]:
    """Make sure that each base image is here, brings no ONBUILD and does not lose its name to the new image.

    A base that is not here, or not for ``platform``, is pulled, or made when it is one of s2i's own. Returns the image
    ID of each. Raises E_BASE, E_BASE_MISSING, E_BASE_PLATFORM, E_BASE_ONBUILD, E_BUILD_CANCELLED, E_DOCKERFILE, E_TAG.
    """
    found: dict[str, str] = {}
    for image in bases(dockerfile):
        if image_name(image) in map(image_name, tags):
            raise E_TAG(value=image, why="the build starts from the image of that name")
        details = _details(engine, image, on_event, cancelled, platform)
        config = details.get("Config") or {}
        if triggers := tuple(config.get("OnBuild") or ()):
            raise E_BASE_ONBUILD(image=image, triggers=triggers)
        settled(config, f"the base image {image}")
        found[image] = str(details["Id"])
    return found


def settled(config: Mapping[str, Any], what: str) -> None:
    """Refuse an image whose working folder is one of the kernel's (CVE-2024-21626). Raises E_DOCKERFILE."""
    folder = str(config.get("WorkingDir") or "/")
    if in_kernel(folder):
        raise E_DOCKERFILE(why=f"{what} would work in {folder}, which is the kernel's (CVE-2024-21626)")


def image_name(value: str) -> str:
    """Return one spelling for all names of an image: ``docker.io/library/python`` gives ``python:latest``."""
    name = value.removeprefix("docker.io/").removeprefix("index.docker.io/").removeprefix("library/")
    return name if ":" in name.rpartition("/")[2] or "@" in name else f"{name}:latest"


def _details(
    engine: Wire,
    image: str,
    on_event: Callable[[StepEvent], None],
    cancelled: threading.Event | None,
    platform: str,
) -> Details:
    python = table.python_of(image)
    found = look(engine, image)
    # One of s2i's own may be of an older s2i, which made it in another way.
    if python and (found is None or _labels(found).get(table.RECIPE_LABEL) not in table.INTERPRETERS):
        _made(python, on_event, cancelled)
        found = None
    elif found is None or not (python or _suits(found, platform)):
        _pulled(image, on_event, cancelled, platform)
        found = None
    found = found or look(engine, image)
    if found is None:
        raise E_BASE_MISSING(why=f"the base image {image} was here a moment ago, and is no more", log=())
    if not _suits(found, platform):
        raise E_BASE_PLATFORM(image=image, has=platforms.of_image(found), platform=platform)
    return found


def _suits(details: Details, platform: str) -> bool:
    return platform in ("", platforms.of_image(details))


def look(engine: Wire, image: str) -> Details | None:
    """Return how the engine describes ``image`` (a name or an ID), None when it has none. Raises E_BASE_MISSING."""
    from s2i.wire import Refused

    try:
        details: Details = engine.get(f"/images/{image}/json")
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise E_BASE_MISSING(why=f"the engine knows nothing of the image {image}", log=(str(refusal),)) from None
    return details


def _labels(details: Details) -> Mapping[str, str]:
    return (details.get("Config") or {}).get("Labels") or {}


def _made(python: str, on_event: Callable[[StepEvent], None], cancelled: threading.Event | None) -> None:
    from s2i import shell
    from s2i.images.bases import obtain

    name = f"make the base images of Python {python}"
    began = time.monotonic()
    on_event(StepEvent("started", name, name))

    def said(line: str) -> None:
        on_event(StepEvent("log", name, name, time.monotonic() - began, line))

    try:
        obtain.make(python, said, cancelled)
    except shell.Cancelled:
        raise E_BUILD_CANCELLED() from None
    except S2IError as error:
        on_event(StepEvent("failed", name, name, time.monotonic() - began, error.message))
        raise
    on_event(StepEvent("done", name, name, time.monotonic() - began))


def _pulled(
    image: str, on_event: Callable[[StepEvent], None], cancelled: threading.Event | None, platform: str
) -> None:
    missing = f"the base image {image} is not on this machine{f' for {platform}' if platform else ''}"
    if image.startswith(OURS):
        raise E_BASE_MISSING(why=missing, log=())
    from s2i.images.bases import obtain
    from s2i.images.pull import pull

    if obtain.out_of_reach(image_name(image)):
        # An engine itself tries for minutes.
        why = f"{missing}, and its registry does not answer within {obtain.REGISTRY_SECONDS:g} s"
        raise E_BASE_MISSING(why=why, log=(), advice=BROUGHT.format(image=image))
    # The base images that s2i itself makes are for this machine's processor: they are no way out.
    advice = E_BASE_PLATFORM.advice if platform else ""
    pull(image_name(image), f"{missing} and cannot be pulled", on_event, cancelled, platform=platform, advice=advice)
