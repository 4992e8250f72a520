"""The bill of materials of an image (SBOM), as CycloneDX: read off the image when somebody asks for it.

What is installed is remembered by the layers that hold it: after a change of code nothing has to be read again.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import msgspec

from s2i import dirs
from s2i.images.carried import contents, inventory, record
from s2i.images.carried.folder import SBOM, folder_of
from s2i.images.carried.inventory import Inventory
from s2i.images.carried.labels import sha256
from s2i.planning.dockerfile import instructions

if TYPE_CHECKING:
    import docker

VERSION = 1  # of what is remembered: raise it when more is read off an image
PROJECT = "app/"  # where a project's own files are, in the images that s2i plans


def of(client: docker.DockerClient, details: dict[str, Any]) -> bytes:
    """Return the SBOM of an image as CycloneDX JSON, and keep it beside the image when that was built here.

    ``details``: what the engine says of the image. Nothing of the image is run. Raises docker's errors, OSError.
    """
    image = str(details["Id"])
    beside = folder_of(image) / SBOM
    with contextlib.suppress(OSError):
        return beside.read_bytes()
    from s2i.images.carried import cyclonedx

    found = record.find(image)
    document = cyclonedx.render(installed(client, details, found), details, found)
    if found:
        with contextlib.suppress(OSError):
            _write(beside, document)
    return document


def installed(client: docker.DockerClient, details: dict[str, Any], found: record.Record | None) -> Inventory:
    """Return what is installed in an image: what is remembered of its layers, else what is read off it."""
    planned = found.plan() if found else None
    # An image that s2i planned has its project in one folder, and what is installed elsewhere.
    apart = bool(found and planned and planned.base)
    key = _key(details, found.dockerfile()) if apart and found else ""
    path = dirs.cache() / "inventories" / f"{key}.json"
    if key:
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(path.read_bytes(), type=Inventory)
    files = contents.files(
        client,
        str(details["Id"]),
        lambda name: inventory.telling(name) and not (apart and name.startswith(PROJECT)),
        limit=inventory.FILE_LIMIT,
        room=inventory.ROOM,
    )
    taken = inventory.take(files, _declared(details))
    if key:
        with contextlib.suppress(OSError):
            dirs.make_private(path.parent)
            _write(path, msgspec.json.encode(taken))
    return taken


def project_steps(dockerfile: str) -> int:
    """Return how many layers at the end hold nothing but the project: its copy, and what is run after that."""
    last: list[str] = []
    for step in instructions(dockerfile):
        if step.word == "FROM":
            last = []
        elif step.word in ("COPY", "ADD") and not step.rest.startswith("--from="):
            last.append("project")
        elif step.word in ("COPY", "RUN", "ADD"):
            last.append("installed" if step.rest.startswith("--from=") or "project" not in last else "after")
    counted = 0
    for kind in reversed(last):
        if kind == "installed":
            break
        counted += 1
    return counted


def _key(details: dict[str, Any], dockerfile: str) -> str:
    """Return what an image's dependencies are remembered by: the layers below those of the project."""
    layers = details["RootFS"].get("Layers") or []
    below = layers[: len(layers) - project_steps(dockerfile)]
    return sha256("\n".join((str(VERSION), *below)).encode()) if below else ""


def _declared(details: dict[str, Any]) -> str:
    """Return the Python that an image says it has, as the official ones do; "" when it says nothing."""
    pairs = (str(pair).partition("=") for pair in (details.get("Config") or {}).get("Env") or ())
    return next((value for name, _, value in pairs if name == "PYTHON_VERSION"), "")


def _write(path: Any, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(data)
    draft.replace(path)
