"""Images over HTTP: what the server needs which for, and the end of those that nothing needs."""

from __future__ import annotations

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler

from s2i.control.execute import sweep_images
from s2i.control.platform import Platform
from s2i.control.usage import ImageUse, building, uses


class ImagesView(msgspec.Struct, frozen=True):
    """What a server needs images for. ``building``: a build is under way whose image is not among them yet."""

    server: str
    building: bool
    uses: tuple[ImageUse, ...] = ()


class Removed(msgspec.Struct, frozen=True):
    """The ids of the images that went."""

    removed: tuple[str, ...] = ()


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/images."""
    store = platform.store

    @get("/v1/images", sync_to_thread=True)
    def view() -> ImagesView:
        return ImagesView(store.server, building(store), uses(store))

    @post("/v1/images/gc", status_code=200, sync_to_thread=True)
    def gc() -> Removed:
        return Removed(sweep_images(platform.world))

    return [view, gc]
