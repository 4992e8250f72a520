"""One image, told whole: what it is, where it comes from, what it consists of, what uses it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from s2i.images.carried.folder import PROVENANCE
from s2i.images.carried.labels import OCI
from s2i.images.carried.record import Record
from s2i.images.stock.layers import Layer, layers
from s2i.resources import labels


class Inspection(msgspec.Struct, frozen=True):
    """What there is to know of an image; "" and () for what nobody knows.

    ``size`` in bytes; ``created`` as the engine has it; ``uses`` are sentences. ``folder``: where its plan and
    provenance are; ``changed``: which of these files are no longer what the image was built by.
    """

    id: str
    names: tuple[str, ...]
    title: str
    what: str
    source: str
    commit: str
    version: str
    built: str
    builder: tuple[tuple[str, str], ...]
    base: str
    base_digest: str
    plan: str
    start: tuple[str, ...]
    ports: tuple[int, ...]
    user: str
    workdir: str
    created: str
    size: int
    layers: tuple[Layer, ...]
    labels: tuple[tuple[str, str], ...]
    uses: tuple[str, ...]
    folder: str = ""
    changed: tuple[str, ...] = ()


def inspect(
    details: Mapping[str, Any], history: Sequence[Mapping[str, Any]], record: Record | None, uses: Sequence[str]
) -> Inspection:
    """Put together what the engine says of an image and what is beside it."""
    config: Mapping[str, Any] = details.get("Config") or {}
    tags: Mapping[str, str] = config.get("Labels") or {}
    base = str(tags.get(f"{OCI}base.name", ""))
    made = record.statement.predicate.run_details if record else None
    ports = (port.partition("/")[0] for port in config.get("ExposedPorts") or {})
    return Inspection(
        id=str(details["Id"]),
        names=tuple(details.get("RepoTags") or ()),
        title=str(tags.get(f"{OCI}title", "")),
        what=_what(record),
        source=str(tags.get(f"{OCI}source", "")),
        commit=str(tags.get(f"{OCI}revision", "")),
        version=str(tags.get(f"{OCI}version", "")),
        built=made.metadata.finished_on if made else "",
        builder=tuple(made.builder.version.items()) if made else (),
        base=base,
        base_digest=str(tags.get(f"{OCI}base.digest", "")),
        plan=str(tags.get(labels.PLAN, "")),
        start=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
        ports=tuple(sorted(int(port) for port in ports if port.isdecimal())),
        user=str(config.get("User") or "root"),
        workdir=str(config.get("WorkingDir") or "/"),
        created=str(details.get("Created") or ""),
        size=int(details.get("Size") or 0),
        layers=layers(history, record.dockerfile() if record else "", base),
        labels=tuple(sorted(tags.items())),
        uses=tuple(uses),
        folder=str(record.folder) if record else "",
        changed=_changed(record, str(tags.get(labels.PLAN, ""))) if record else (),
    )


def _what(record: Record | None) -> str:
    plan = record.plan() if record else None
    if plan is None:
        return ""
    kind = f"{plan.kind} ({plan.framework})" if plan.framework != plan.kind else plan.kind
    return ", ".join(filter(None, (kind, plan.entry, f"Python {plan.python}" if plan.python else "")))


def _changed(record: Record, plan: str) -> tuple[str, ...]:
    """Return the files beside an image that do not agree with each other, or with the ``plan`` on its label."""
    changed = record.changed()
    written = (one.digest.get("sha256") for one in record.statement.predicate.run_details.byproducts)
    return changed if plan in written else (*changed, PROVENANCE)
