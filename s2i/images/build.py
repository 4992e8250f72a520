"""Build an image: stage the context, run the client, follow it, name what went wrong."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2i import shell
from s2i.engines.docker import connection
from s2i.errors import E_BUILD_CANCELLED, E_BUILD_TIMEOUT, E_TAG
from s2i.images import clients, command
from s2i.images.diagnose import SHOWN_LINES, diagnose
from s2i.images.dockerfile import render
from s2i.images.events import Image, StepEvent
from s2i.images.progress import PlainReader, RawReader
from s2i.images.steps import StepNames
from s2i.planning.plan import BuildPlan
from s2i.sources import Tree, workspace

if TYPE_CHECKING:
    import docker

TIMEOUT_SECONDS = 1800.0
_TAG = re.compile(
    r"[a-z0-9]+([._/-]+[a-z0-9]+)*(:[0-9]+/[a-z0-9]+([._/-]+[a-z0-9]+)*)?(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
)


def build(
    tree: Tree,
    plan: BuildPlan,
    *,
    title: str,
    tags: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    on_event: Callable[[StepEvent], None] = lambda event: None,
    cancelled: threading.Event | None = None,
    timeout: float = TIMEOUT_SECONDS,
    cache: bool = True,
) -> Image:
    """Build the image of ``plan`` from ``tree``; ``timeout`` in seconds. Nothing but the image is left behind.

    Raises E_BUILD and its kin, E_BUILD_CANCELLED, E_BUILD_TIMEOUT, E_DOCKER.
    """
    began = time.monotonic()
    engine = connection.client()
    client = clients.find()
    with workspace("build") as folder:
        order = _order(folder, tree, plan, client, cache=cache, tags=tuple(tags), labels={
            **described(tree, title), **(labels or {}),
        })  # fmt: skip
        reader = (RawReader if client.kind == "buildx" else PlainReader)(StepNames(order.dockerfile.read_text()))
        code = _run(client, order, reader, on_event, cancelled, timeout, tree.origin.time)
        if cancelled is not None and cancelled.is_set():
            raise E_BUILD_CANCELLED()
        if code != 0:
            raise diagnose(reader.log.step_name(), reader.log.lines())
        identity = order.iidfile.read_text().strip()
    seconds = round(time.monotonic() - began, 3)
    return _image(engine, identity, tuple(tags), reader, seconds)


def check_tag(tag: str) -> str:
    """Return ``tag`` when it can name an image, with ``:latest`` when it has no version. Raises E_TAG."""
    if not _TAG.fullmatch(tag) or len(tag) > 255:
        raise E_TAG(value=tag)
    return tag if ":" in tag.rpartition("/")[2] else f"{tag}:latest"


def described(tree: Tree, title: str) -> dict[str, str]:
    """Return the standard labels of an image: org.opencontainers.image.*, as far as they are known."""
    origin = tree.origin
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(origin.time)) if origin.time else ""
    # A folder's path says something about this machine and nothing to anybody else.
    source = origin.place if origin.kind == "git" else ""
    known = {"title": title, "source": source, "revision": origin.commit, "version": origin.ref, "created": stamp}
    return {f"org.opencontainers.image.{name}": value for name, value in known.items() if value}


def _order(
    folder: Path,
    tree: Tree,
    plan: BuildPlan,
    client: clients.BuildClient,
    *,
    cache: bool,
    tags: tuple[str, ...],
    labels: Mapping[str, str],
) -> command.Order:
    """Write what the client reads: the context, and beside it the Dockerfile."""
    context = folder / "context"
    context.mkdir(mode=0o700)
    tree.stage(context)
    dockerfile = folder / "Dockerfile"
    if plan.dockerfile:
        dockerfile.write_bytes(tree.read(plan.dockerfile))
    elif client.kind == "classic":
        from s2i.images.classic import without_mounts

        dockerfile.write_text(render(without_mounts(plan)))
    else:
        dockerfile.write_text(render(plan))
    # Beats a .dockerignore of the source, which the tree has respected already: a second reading by other rules
    # could leave out what the Dockerfile names.
    (folder / "Dockerfile.dockerignore").write_text("# nothing more\n")
    return command.Order(
        context=context,
        dockerfile=dockerfile,
        iidfile=folder / "image",
        tags=tags,
        labels=tuple(sorted(labels.items())),
        ca="" if client.kind == "classic" else command.ca_bundle(),
        cache=cache,
        proxies=tuple(name for name in command.PROXIES if os.environ.get(name)),
    )


def _run(
    client: clients.BuildClient,
    order: command.Order,
    reader: RawReader | PlainReader,
    on_event: Callable[[StepEvent], None],
    cancelled: threading.Event | None,
    timeout: float,
    epoch: int,
) -> int:
    if client.kind == "classic":
        from s2i.images import classic

        return classic.run(order, reader.log, on_event, cancelled, timeout)

    def read(line: bytes) -> None:
        for event in reader.feed(line):
            on_event(event)

    environment = command.environment(os.environ, connection.host(), epoch)
    try:
        return shell.stream(command.argv(client, order), read, timeout=timeout, env=environment, cancelled=cancelled)
    except shell.TimedOut:
        raise E_BUILD_TIMEOUT(seconds=f"{timeout:g}", log=reader.log.lines()[-SHOWN_LINES:]) from None


def _image(
    engine: docker.DockerClient,
    identity: str,
    tags: tuple[str, ...],
    reader: RawReader | PlainReader,
    seconds: float,
) -> Image:
    details = engine.images.get(identity)
    return Image(
        id=str(details.id),
        digest=identity,
        size=int(details.attrs["Size"]),
        tags=tags,
        steps=tuple(reader.log.steps),
        seconds=seconds,
    )
