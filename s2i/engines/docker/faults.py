"""What the engine's failures mean, as errors of ours."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

import docker.errors
import requests.exceptions
import urllib3.exceptions

from s2i.engines.docker import connection
from s2i.errors import E_CONTAINER, E_DISK, E_DOCKER, E_IMAGE_GONE

ROOM = 64 << 20  # bytes; a shim needs a few MB in /run and in the engine's folder


@contextlib.contextmanager
def explained(name: str, image: str = "") -> Iterator[None]:
    """Turn what the engine says while ``name`` (a container, network, image) is handled into errors of ours.

    Raises E_IMAGE_GONE, E_DISK, E_CONTAINER, E_DOCKER.
    """
    try:
        yield
    except docker.errors.APIError as error:
        raise _meant(str(error.explanation or error), name, image) from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, docker.errors.DockerException) as error:
        raise E_DOCKER(socket=connection.host(), why=f"it stopped answering: {_last(error)}") from None


def _meant(text: str, name: str, image: str) -> Exception:
    low = text.lower()
    if "no such image" in low:
        return E_IMAGE_GONE(image=image or name)
    if "no space left" in low:
        return E_DISK(why=text)
    if "failed to start shim" in low and _full():
        return E_DISK(why="the engine could not start a container")
    return E_CONTAINER(name=name, why=text)


def _full() -> bool:
    for place in ("/run", "/var/lib/docker", "/"):
        with contextlib.suppress(OSError):
            if shutil.disk_usage(place).free < ROOM:
                return True
    return False


def _last(error: BaseException) -> str:
    return "no answer within the time limit" if "timed out" in str(error).lower() else str(error)
