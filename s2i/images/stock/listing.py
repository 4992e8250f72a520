"""The engine's images and the containers that use them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from s2i.resources import labels

if TYPE_CHECKING:
    import docker

    Client = docker.DockerClient

_UNNAMED = "<none>:<none>"


class Stored(msgspec.Struct, frozen=True):
    """One image: ``size`` in bytes with its base, ``created`` in epoch seconds, ``labels`` as pairs, sorted.

    ``containers``: the names of those that were made from it, whether they run or not.
    """

    id: str
    tags: tuple[str, ...]
    size: int
    created: float
    labels: tuple[tuple[str, str], ...] = ()
    containers: tuple[str, ...] = ()

    def label(self, name: str) -> str:
        """Return a label's value, "" when the image has none of that name."""
        return dict(self.labels).get(name, "")

    @property
    def ours(self) -> bool:
        """Whether s2i built it: `s2i build`, or a server for an app or a job. An inherited label says so too."""
        return bool(self.label(labels.BUILD) or self.label(labels.SERVER))


def every(client: docker.DockerClient) -> tuple[Stored, ...]:
    """Return the images that s2i built and those that stand on them, newest first. Two questions to the engine."""
    users = containers(client)
    rows: dict[str, dict[str, Any]] = {}
    for name in (labels.BUILD, labels.SERVER):
        with explained():
            rows |= {row["Id"]: row for row in client.api.images(filters={"label": name})}
    found = (stored(row, users) for row in rows.values())
    return tuple(sorted((one for one in found if one.ours), key=lambda one: (-one.created, one.id)))


def containers(client: docker.DockerClient) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the containers that were made from each image, by its id."""
    users: dict[str, list[str]] = {}
    with explained():
        for row in client.api.containers(all=True):
            name = (row["Names"] or [row["Id"][:12]])[0].lstrip("/")
            users.setdefault(row["ImageID"], []).append(name)
    return {image: tuple(sorted(names)) for image, names in users.items()}


def stored(row: Mapping[str, Any], users: Mapping[str, tuple[str, ...]]) -> Stored:
    """Return one row of ``GET /images/json``."""
    return Stored(
        id=row["Id"],
        tags=tuple(sorted(tag for tag in row.get("RepoTags") or () if tag != _UNNAMED)),
        size=int(row["Size"]),
        created=float(row["Created"]),
        labels=tuple(sorted((row.get("Labels") or {}).items())),
        containers=users.get(row["Id"], ()),
    )


def details(client: docker.DockerClient, name: str) -> dict[str, Any] | None:
    """Return what the engine says of one image, by name or id; None when it has none such. Raises E_DOCKER."""
    import docker.errors

    with explained(name):
        try:
            found: dict[str, Any] = client.api.inspect_image(name)  # type: ignore[no-untyped-call]
        except (docker.errors.NotFound, docker.errors.NullResource):
            return None
        except docker.errors.APIError as error:
            if error.status_code == 400:  # what could not be the name of an image at all
                return None
            raise
    return found


def history(client: docker.DockerClient, image: str) -> list[dict[str, Any]]:
    """Return the steps that made an image, newest first. Raises E_IMAGE_GONE, E_DOCKER."""
    with explained(image):
        found: list[dict[str, Any]] = client.api.history(image)  # type: ignore[no-untyped-call]
    return found


def explained(image: str = "") -> contextlib.AbstractContextManager[None]:
    """Turn what the engine says in the block into errors of ours. Raises E_IMAGE_GONE, E_DISK, E_DOCKER."""
    from s2i.engines.docker import faults

    return faults.explained(image or "the engine's images", image)
