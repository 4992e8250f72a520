"""From an Inventory to a CycloneDX document. Takes a quarter of a second to import: only for who asks for one."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from typing import Any

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

import s2i
from s2i.images.carried import graph
from s2i.images.carried.inventory import Distribution, Inventory, Package
from s2i.images.carried.labels import OCI
from s2i.images.carried.record import Record

_NAMESPACE = uuid.UUID("9d2f2f6c-7d0e-5c53-8a57-2f6f2b1d6b11")


def render(found: Inventory, details: dict[str, Any], record: Record | None) -> bytes:
    """Return the document of an image, whose ``details`` the engine gave. The same image gives the same document."""
    image = str(details["Id"])
    tags = (details.get("Config") or {}).get("Labels") or {}
    title = (record.title if record else "") or str(tags.get(f"{OCI}title") or "") or image[:19]
    root = Component(
        name=title,
        type=ComponentType.CONTAINER,
        version=str(tags.get(f"{OCI}version") or image),
        bom_ref=image,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=image.rpartition(":")[2])],
        properties=[Property(name=f"s2i:{name}", value=value) for name, value in _facts(tags)],
    )
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, image))
    bom.metadata = BomMetaData(component=root, timestamp=_time(details), tools=ToolRepository(components=[_tool()]))
    libraries = {one.name: _library(one) for one in reversed(found.distributions)}
    every = {(one.name, one.version): _library(one) for one in found.distributions}
    others = (*(_package(one, found) for one in found.packages), *_interpreter(found))
    for component in (*every.values(), *others):
        bom.components.add(component)
    needed = graph.needs(found.distributions, found.python)
    for name, names in needed.items():
        bom.register_dependency(libraries[name], [libraries[other] for other in names])
    bom.register_dependency(root, [*(libraries[name] for name in graph.roots(needed)), *others])
    return JsonV1Dot6(bom).output_as_string(indent=2).encode() + b"\n"


def _library(one: Distribution) -> Component:
    purl = PackageURL(
        "pypi", name=one.name, version=one.version, qualifiers={"download_url": one.url} if one.url else None
    )
    references = [ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(one.url))] if one.url else []
    properties = [Property(name="s2i:place", value=one.place)]
    if one.record:
        properties.append(Property(name="s2i:record:sha256", value=one.record))
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        licenses=_licences(one.licence),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one.hash)] if one.hash else [],
        external_references=references,
        properties=properties,
    )


def _package(one: Package, found: Inventory) -> Component:
    system = found.system or "debian"
    qualifiers = {"arch": one.architecture, "distro": f"{system}-{found.release}" if found.release else ""}
    named = {name: value for name, value in qualifiers.items() if value}
    purl = PackageURL("deb", system, one.name, one.version, named)
    source = [Property(name="s2i:source-package", value=one.source)] if one.source else []
    return Component(
        name=one.name,
        version=one.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=purl.to_string(),
        properties=source,
    )


def _interpreter(found: Inventory) -> Iterator[Component]:
    if found.python:
        # Of Debian's own, its packages say more; one that was built from source is in no list of packages.
        purl = PackageURL("generic", name="python", version=found.python)
        yield Component(
            name="python", version=found.python, type=ComponentType.PLATFORM, purl=purl, bom_ref=purl.to_string()
        )


def _licences(text: str) -> list[License]:
    if not text:
        return []
    return [LicenseFactory().make_from_string(text)]


def _facts(tags: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("source", "revision", "base.name", "base.digest"):
        if value := tags.get(f"{OCI}{name}"):
            yield name, str(value)


def _tool() -> Component:
    return Component(name="s2i", version=s2i.__version__, type=ComponentType.APPLICATION)


def _time(details: dict[str, Any]) -> datetime.datetime:
    """Return when the image was made: an engine that follows the source's time says that."""
    from s2i.engines.docker.listing import epoch

    return datetime.datetime.fromtimestamp(epoch(str(details.get("Created") or "")), datetime.UTC)
