"""Read the files beside an image."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from s2i.errors import S2IError
from s2i.images.carried.folder import DOCKERFILE, PLAN, PROVENANCE, folder_of, home
from s2i.images.carried.labels import sha256
from s2i.planning import saved
from s2i.planning.plan import BuildPlan


class _Camel(msgspec.Struct, frozen=True, rename="camel"):
    pass


class Artifact(_Camel, frozen=True):
    """A thing by name, and its digest by algorithm."""

    name: str = ""
    digest: dict[str, str] = {}


class Definition(_Camel, frozen=True):
    """What was asked for."""

    external_parameters: dict[str, Any] = {}


class Builder(_Camel, frozen=True):
    """Who built: the versions of s2i, the client and the engine."""

    version: dict[str, str] = {}


class Times(_Camel, frozen=True):
    """When it was built."""

    started_on: str = ""
    finished_on: str = ""


class Details(_Camel, frozen=True):
    """Who built, when, and what was written beside the image."""

    builder: Builder = Builder()
    metadata: Times = Times()
    byproducts: tuple[Artifact, ...] = ()


class Predicate(_Camel, frozen=True):
    """What was built, and how it was run."""

    build_definition: Definition
    run_details: Details


class Statement(_Camel, frozen=True):
    """What is read of a provenance."""

    subject: tuple[Artifact, ...]
    predicate: Predicate


class Record(msgspec.Struct, frozen=True):
    """The files beside one image. ``built``: when it was last built here, ``made``: when first; in epoch seconds."""

    image: str
    folder: Path
    statement: Statement
    built: float
    made: float

    @property
    def title(self) -> str:
        """What a person calls what was built."""
        return str(self.statement.predicate.build_definition.external_parameters.get("title", ""))

    def changed(self) -> tuple[str, ...]:
        """Return the files that are not, byte for byte, what the provenance says was built by."""
        found = []
        for one in self.statement.predicate.run_details.byproducts:
            try:
                same = sha256((self.folder / one.name.rpartition("/")[2]).read_bytes()) == one.digest.get("sha256")
            except OSError:
                same = False
            if not same:
                found.append(one.name)
        return tuple(found)

    def plan(self) -> BuildPlan | None:
        """Return the plan that the image was built by; None when this s2i cannot read it."""
        try:
            return saved.decode((self.folder / PLAN).read_bytes(), PLAN)
        except (OSError, S2IError):
            return None

    def dockerfile(self) -> str:
        """Return the Dockerfile that was built, "" when it is gone."""
        try:
            return (self.folder / DOCKERFILE).read_text()
        except OSError:
            return ""


def find(image: str) -> Record | None:
    """Return the files beside ``image`` (``sha256:...``); None when it was not built here, or they are damaged."""
    folder = folder_of(image)
    try:
        found = msgspec.json.decode((folder / PROVENANCE).read_bytes(), type=Statement)
        built, made = folder.stat().st_mtime, (folder / PROVENANCE).stat().st_mtime
    except (OSError, msgspec.MsgspecError):
        return None
    digests = {f"{kind}:{digest}" for one in found.subject for kind, digest in one.digest.items()}
    return Record(image, folder, found, built, made) if image in digests else None


def every() -> Iterator[Record]:
    """Yield the files of each image that was built here."""
    for path in sorted(home().glob(f"*/{PROVENANCE}")):
        with contextlib.suppress(OSError, msgspec.MsgspecError, StopIteration, IndexError):
            found = msgspec.json.decode(path.read_bytes(), type=Statement)
            kind, digest = next(iter(found.subject[0].digest.items()))
            times = path.parent.stat().st_mtime, path.stat().st_mtime
            yield Record(f"{kind}:{digest}", path.parent, found, *times)
