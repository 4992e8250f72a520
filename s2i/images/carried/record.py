"""The files beside an image: plan.json, Dockerfile, provenance.json; and sbom.cdx.json once somebody asked for it."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from s2i import dirs
from s2i.errors import S2IError
from s2i.images.carried.folder import folder_of, home
from s2i.images.carried.labels import sha256
from s2i.images.carried.provenance import Made, Statement, statement
from s2i.planning import saved
from s2i.planning.plan import BuildPlan

PLAN, DOCKERFILE, PROVENANCE, SBOM = "plan.json", "Dockerfile", "provenance.json", "sbom.cdx.json"


class Record(msgspec.Struct, frozen=True):
    """The files beside one image. ``built``: when it was last built here, in epoch seconds."""

    image: str
    folder: Path
    statement: Statement
    built: float

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


def keep(made: Made) -> None:
    """Write the files of a new image, all or none. Raises OSError."""
    folder = folder_of(made.image)
    dirs.make_private(folder.parent)
    draft = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        draft.mkdir(mode=0o700)
        (draft / PLAN).write_bytes(saved.canonical(made.plan))
        (draft / DOCKERFILE).write_text(made.dockerfile)
        provenance = msgspec.json.encode(statement(made))
        (draft / PROVENANCE).write_bytes(msgspec.json.format(provenance, indent=2) + b"\n")
        try:
            draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # a build of the same source may have been faster
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def find(image: str) -> Record | None:
    """Return the files beside ``image`` (``sha256:...``); None when it was not built here, or they are damaged."""
    folder = folder_of(image)
    try:
        found = msgspec.json.decode((folder / PROVENANCE).read_bytes(), type=Statement)
        built = folder.stat().st_mtime
    except (OSError, msgspec.MsgspecError):
        return None
    digests = {f"{kind}:{digest}" for one in found.subject for kind, digest in one.digest.items()}
    return Record(image, folder, found, built) if image in digests else None


def every() -> Iterator[Record]:
    """Yield the files of each image that was built here."""
    for path in sorted(home().glob(f"*/{PROVENANCE}")):
        with contextlib.suppress(OSError, msgspec.MsgspecError, StopIteration, IndexError):
            found = msgspec.json.decode(path.read_bytes(), type=Statement)
            kind, digest = next(iter(found.subject[0].digest.items()))
            yield Record(f"{kind}:{digest}", path.parent, found, path.parent.stat().st_mtime)
