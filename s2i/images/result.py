"""What a build made, in the words of the client and of the engine. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

# With it the engine says how much room each part takes. Those before 28.0 (API 1.48) and those that keep images with a
# graph driver leave it unanswered. https://docs.docker.com/reference/api/engine/version-history/#v148-api-changes
SIZES = {"manifests": "true"}


def identity(said: str) -> str:
    """Return the engine's id of the image, from what the client wrote: an id, or the JSON of buildx.

    buildx names two: an engine with a containerd image store knows an image by the digest of its manifest only, every
    other one by that of its configuration, which is what buildx calls the image's digest there. "" for none.
    """
    if not said.startswith("{"):
        return said.strip()
    try:
        return msgspec.json.decode(said, type=_Metadata).digest
    except msgspec.MsgspecError:
        return ""


def size(details: Mapping[str, Any]) -> int:
    """Return the bytes of the unpacked image from what the engine tells of it.

    A containerd image store counts what is packed as the image's size, and says apart what it unpacks to.
    """
    unpacked = (
        ((manifest.get("ImageData") or {}).get("Size") or {}).get("Unpacked") or 0
        for manifest in details.get("Manifests") or ()
        if manifest.get("Kind") == "image"
    )
    return next((found for found in unpacked if found), int(details["Size"]))


class _Metadata(msgspec.Struct):
    digest: str = msgspec.field(name="containerimage.digest", default="")
