"""What somebody asks of one build, beside the tree and its plan."""

from __future__ import annotations

import msgspec

from s2i.images.clients import BuildClient
from s2i.resources.secret import Secret

TIMEOUT_SECONDS = 1800.0
CLI = "cli.s2i"  # the namespace of builds by hand: no project can be called so


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How one image is wanted. ``title`` is what a person calls it; ``timeout`` in seconds.

    ``owner``: the app or job that it is for. ``strategy``: how its plan was found. ``tags`` are as admission.tag
    returns them. ``secrets`` are mounted by steps and stay out of the image. ``index`` is the package index to install
    from, without credentials, "" for PyPI; ``arguments`` (name, value) are for a Dockerfile of the source's own. Builds
    of one ``namespace`` share their caches. ``client``: None takes the best there is.
    ``remembered``: whether the next build of the source may find that this one was made.
    """

    title: str
    owner: str = ""
    strategy: str = "auto"
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Secret, ...] = ()
    index: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    timeout: float = TIMEOUT_SECONDS
    cache: bool = True
    client: BuildClient | None = None
    remembered: bool = True
