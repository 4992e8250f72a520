"""What somebody asks of one build, beside the tree and its plan."""

from __future__ import annotations

from pathlib import Path

import msgspec

from s2i.images.clients import BuildClient
from s2i.images.limits import Limits

TIMEOUT_SECONDS = 1800.0


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How one image is wanted. ``title`` is what a person calls it; ``timeout`` in seconds.

    ``owner``: the app or job that it is for. ``strategy``: how its plan was found. ``tags`` are as admission.tag
    returns them. ``secrets`` (id, file) can be mounted by a step and stay out of the image. Builds of one
    ``namespace`` share their caches of downloads. ``client``: None takes the best there is.
    ``project`` and ``run`` are for the record: whose build it is, and the id that it should have ("" for any).
    """

    title: str
    owner: str = ""
    strategy: str = "auto"
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, Path], ...] = ()
    namespace: str = ""
    timeout: float = TIMEOUT_SECONDS
    cache: bool = True
    client: BuildClient | None = None
    project: str = ""
    run: str = ""
    limits: Limits = Limits()
