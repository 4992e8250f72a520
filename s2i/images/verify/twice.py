"""Two builds of one source: the second runs every step anew, with empty caches of downloads."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from s2i.engines.docker import connection
from s2i.images.build import build
from s2i.images.events import Image, StepEvent
from s2i.images.request import BuildRequest
from s2i.images.verify.causes import Finding, explain
from s2i.images.verify.layers import differences
from s2i.planning.plan import BuildPlan
from s2i.sources import Tree, workspace

if TYPE_CHECKING:
    import docker

ENGINE_SECONDS = 600.0  # an image of gigabytes is saved
SHOWN = 200  # differences; the first already says where to look


class Verdict(msgspec.Struct, frozen=True):
    """What two builds of one source show. ``same``: every file of both images is the same, in content and metadata.

    ``digests`` of the two images; they may differ in what the engine itself writes: ``engine`` says what. ``more``:
    how many differences are left out of ``findings``.
    """

    same: bool
    digests: tuple[str, str]
    findings: tuple[Finding, ...] = ()
    engine: tuple[str, ...] = ()
    more: int = 0


def verify(
    tree: Tree,
    plan: BuildPlan,
    request: BuildRequest,
    *,
    on_event: Callable[[StepEvent], None] = lambda event: None,
    cancelled: threading.Event | None = None,
) -> Verdict:
    """Build ``plan`` from ``tree`` twice, the second time cold, and compare. Neither image is left behind.

    Raises what build raises.
    """
    engine = connection.client(timeout=ENGINE_SECONDS)
    cold = f"verify-{secrets.token_hex(8)}"
    warm = msgspec.structs.replace(request, tags=(), remembered=False)
    anew = msgspec.structs.replace(warm, cache=False, namespace=cold)
    with _nothing_left(engine, cold) as made:
        images: list[Image] = []
        for wanted in (warm, anew):
            images.append(build(tree, plan, wanted, on_event=on_event, cancelled=cancelled))
            made.append(images[-1].id)
        return _compare(engine, images[0], images[1])


def _compare(engine: docker.DockerClient, first: Image, second: Image) -> Verdict:
    digests = (first.digest, second.digest)
    if first.digest == second.digest:
        return Verdict(True, digests)
    layers = [engine.images.get(image.id).attrs["RootFS"]["Layers"] for image in (first, second)]
    told = ("this engine writes the time of the build into the image's configuration",)
    if layers[0] == layers[1]:
        return Verdict(True, digests, engine=told)
    with workspace("verify") as folder:
        paths = [_saved(engine, image, folder / str(number)) for number, image in enumerate((first, second))]
        found: list[Finding] = []
        engines: dict[str, None] = dict.fromkeys(told)
        more = 0
        for difference in differences(paths[0], paths[1]):
            row = explain(difference)
            if row.engine:
                engines[row.cause] = None
            elif len(found) < SHOWN:
                found.append(Finding(difference.path, difference.layer + 1, difference.what, row.cause, row.fix))
            else:
                more += 1
    return Verdict(not found, digests, tuple(found), tuple(engines), more)


def _saved(engine: docker.DockerClient, image: Image, path: Path) -> Path:
    with path.open("wb") as file:
        for chunk in engine.api.get_image(image.id):
            file.write(chunk)
    return path


@contextlib.contextmanager
def _nothing_left(engine: docker.DockerClient, namespace: str) -> Iterator[list[str]]:
    """Yield a list for the images that are made; in the end remove them, unless somebody had or has named them."""
    import docker.errors

    images = {str(image["Id"]) for image in engine.api.images(all=True)}
    caches = {record["ID"] for record in _caches(engine)}
    made: list[str] = []
    try:
        yield made
    finally:
        for image in dict.fromkeys(made):
            if image in images:
                continue
            with contextlib.suppress(docker.errors.APIError):
                if not engine.images.get(image).tags:
                    engine.api.remove_image(image)
        for record in _caches(engine):
            if record["ID"] not in caches and _is_ours(record, namespace):
                with contextlib.suppress(docker.errors.APIError):
                    engine.api.prune_builds(filters={"id": record["ID"]}, all=True)  # type: ignore[arg-type]


def _caches(engine: docker.DockerClient) -> list[dict[str, Any]]:
    return [r for r in engine.df().get("BuildCache") or () if r["Type"] == "exec.cachemount" and not r["InUse"]]


def _is_ours(record: dict[str, Any], namespace: str) -> bool:
    """Say whether a cache of downloads was made by the cold build. Docker 20.10 does not tell the namespace."""
    said = str(record["Description"])
    return namespace in said or (' with id "' not in said and "/root/.cache/" in said)
