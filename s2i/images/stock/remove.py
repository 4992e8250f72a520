"""Remove what may go: images, containers that were only read from, build cache. Never by force."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from s2i.images.carried import folder
from s2i.images.stock.cache import Cached
from s2i.images.stock.collect import Built, Verdict
from s2i.images.stock.listing import details, explained
from s2i.resources import labels

if TYPE_CHECKING:
    import docker

GONE_SECONDS = 30 * 86_400.0
READ_SECONDS = 600.0  # nobody reads an image for that long: who did was killed


def remove(client: docker.DockerClient, going: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """Remove images, with the files beside them; return those that went. One that is in use after all stays."""
    import docker.errors

    removed = []
    for verdict in going:
        image = verdict.image.id
        now = details(client, image)
        if now is not None and now.get("RepoTags"):  # somebody has given it a name since
            continue
        with explained(image):
            try:
                client.api.remove_image(image, force=False)
            except docker.errors.NotFound:
                pass
            except docker.errors.APIError as error:
                if error.status_code != 409:
                    raise
                continue
        folder.forget(image)
        removed.append(verdict)
    return tuple(removed)


def remove_readers(client: docker.DockerClient, now: float) -> int:
    """Remove the containers that a killed process made to read an image; return how many there were."""
    import docker.errors

    count = 0
    with explained():
        for row in client.api.containers(all=True, filters={"label": labels.READER, "status": "created"}):
            # An image cannot know its own id, so no label that is inherited passes for a reader's.
            reads = row["Labels"].get(labels.READER) == row["ImageID"]
            if reads and now - float(row["Created"]) > READ_SECONDS:
                with contextlib.suppress(docker.errors.NotFound):
                    client.api.remove_container(row["Id"], v=True, force=True)
                    count += 1
    return count


def forget_gone(client: docker.DockerClient, built: Mapping[str, Built], now: float) -> int:
    """Remove the files beside images that are no longer on the engine and were built long ago; return how many.

    Not sooner: a machine may have more engines than one.
    """
    old = [image for image, one in built.items() if now - one.built > GONE_SECONDS and details(client, image) is None]
    for image in old:
        folder.forget(image)
    return len(old)


def usage(client: docker.DockerClient) -> dict[str, Any]:
    """Return what the engine says that its disk is used for. Takes seconds on a big one."""
    with explained():
        found: dict[str, Any] = client.api.df()
    return found


def prune(client: docker.DockerClient, records: Collection[Cached]) -> int:
    """Drop records of the build cache that nothing uses; return how many bytes that gave back."""
    if not records:
        return 0
    every = "|".join(one.id for one in records)
    with explained():
        done = client.api.prune_builds(filters={"id": [f"^({every})$"]})  # type: ignore[arg-type]
    return int(done.get("SpaceReclaimed") or 0)
