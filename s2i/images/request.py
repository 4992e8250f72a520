"""What somebody asks of one build, beside the tree and its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from s2i.images.limits import Limits
from s2i.resources.secret import Secret

if TYPE_CHECKING:  # a request is never read from JSON, which would look the type up
    from s2i.images.clients import BuildClient

TIMEOUT_SECONDS = 1800.0
CLI = "cli.s2i"  # the namespace of builds by hand: no project can be called so


class PlanRequest(msgspec.Struct, frozen=True):
    """How a source is to be planned: by which buildpack, only from a lock, for which ``platform``.

    ``platform`` is as platforms.parse returns it, "" for the engine's own. ``saved``: the file of a plan that stands.
    """

    strategy: str = "auto"
    locked: bool = False
    platform: str = ""
    saved: str = ""


DETECTED = PlanRequest()


class BuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    """How one image is wanted. ``title`` is what a person calls it; ``timeout`` in seconds.

    ``owner``: the app or job that it is for. ``planning``: how its plan was found. ``tags`` are as admission.tag
    returns them. ``secrets`` are mounted by steps and stay out of the image. ``index`` is the package index to install
    from, without credentials, "" for PyPI; ``arguments`` (name, value) are for a Dockerfile of the source's own. Builds
    of one ``namespace`` share their caches. ``client``: None takes the best there is. ``push``: the image is wanted in
    the registry of each tag.
    ``project`` and ``run`` are for the record: whose build it is, and the id that it should have ("" for any).
    ``remembered``: whether the next build of the source may find that this one was made.
    """

    title: str
    owner: str = ""
    planning: PlanRequest = DETECTED
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    secrets: tuple[Secret, ...] = ()
    index: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    timeout: float = TIMEOUT_SECONDS
    cache: bool = True
    client: BuildClient | None = None
    push: bool = False
    project: str = ""
    run: str = ""
    limits: Limits = Limits()
    remembered: bool = True

    @property
    def platform(self) -> str:
        """The platform of the image, "" for the engine's own."""
        return self.planning.platform
