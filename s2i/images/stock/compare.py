"""Two images of one app compared: what is installed, which layers they share, their sizes. Pure but for ``content``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from s2i.resources.change import Difference

if TYPE_CHECKING:
    import docker

    from s2i.images.carried.inventory import Inventory


class Content(msgspec.Struct, frozen=True):
    """What an image consists of: versions by name, digests of its layers, the lowest first, its size in bytes.

    ``sizes`` of the layers, in their order; () where the engine does not tell them apart.
    """

    packages: Mapping[str, str]
    layers: tuple[str, ...]
    size: int
    sizes: tuple[int, ...] = ()


class Comparison(msgspec.Struct, frozen=True):
    """How a new image differs from an old one: ``packages`` that are others, bytes, layers that both have.

    ``added``: the bytes of the layers that only the new one has; None where the engine does not say.
    """

    packages: tuple[Difference, ...]
    sizes: tuple[int, int]
    layers: int
    shared: int
    added: int | None


def compare(old: Content, new: Content) -> Comparison:
    """Return how ``new`` differs from ``old``."""
    names = sorted({**old.packages, **new.packages})
    pairs = ((name, old.packages.get(name, ""), new.packages.get(name, "")) for name in names)
    shared = 0
    for one, other in zip(old.layers, new.layers, strict=False):
        if one != other:
            break
        shared += 1
    return Comparison(
        packages=tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2]),
        sizes=(old.size, new.size),
        layers=len(new.layers),
        shared=shared,
        added=sum(new.sizes[shared:]) if new.sizes else None,
    )


def content(client: docker.DockerClient, details: dict[str, Any], history: Sequence[Mapping[str, Any]]) -> Content:
    """Read what an image consists of; nothing of it is run. Raises docker's errors, OSError."""
    from s2i.images.carried import record, sbom

    inventory = sbom.installed(client, details, record.find(str(details["Id"])))
    layers = tuple(details["RootFS"].get("Layers") or ())
    sizes = tuple(int(row["Size"]) for row in reversed(history) if row.get("Size"))
    size = int(details.get("Size") or 0)
    return Content(_packages(inventory), layers, size, sizes if len(sizes) == len(layers) else ())


def _packages(of: Inventory) -> dict[str, str]:
    found = {f"{one.name} (Debian)": one.version for one in of.packages}
    found |= {one.name: one.version for one in of.distributions}
    return found | ({"Python": of.python} if of.python else {})
