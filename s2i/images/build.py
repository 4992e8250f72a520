"""Build an image: stage the context, run the client, follow it, name what went wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s2i import shell
from s2i.engines.docker import connection
from s2i.errors import E_BUILD_CANCELLED, E_BUILD_DISK, E_BUILD_TIMEOUT, S2IError
from s2i.images import admission, classic, clients, command
from s2i.images.clients import BuildClient
from s2i.images.context import tell_apart
from s2i.images.diagnose import SHOWN_LINES, diagnose, requirement
from s2i.images.dockerfile import render
from s2i.images.events import Image, StepEvent
from s2i.images.progress import PlainReader, RawReader, Reader
from s2i.images.request import BuildRequest
from s2i.images.steps import StepNames
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice, Tree, workspace
from s2i.sources.tree import STAGED_TIME

if TYPE_CHECKING:
    from s2i.engines.docker.wire import Wire


def build(
    tree: Tree,
    plan: BuildPlan,
    request: BuildRequest,
    *,
    on_event: Callable[[StepEvent], None] = lambda event: None,
    on_notice: Callable[[Notice], None] = lambda notice: None,
    cancelled: threading.Event | None = None,
) -> Image:
    """Build the image of ``plan`` from ``tree`` as ``request`` says. Nothing but the image is left behind.

    Raises E_BUILD and its kin, E_BASE, E_BASE_MISSING, E_BASE_ONBUILD, E_TAG, E_DOCKERFILE,
    E_BUILD_CANCELLED, E_BUILD_TIMEOUT, E_DOCKER.
    """
    began = time.monotonic()
    tree = tree.subtree(plan.subdir) if plan.subdir else tree
    engine = connection.wire()
    client = request.client or clients.find()
    if client.loss:
        on_notice(Notice("W_NO_BUILDKIT", client.loss))
    with workspace("build") as folder:
        order = command.Order(
            context=folder / "context",
            dockerfile=folder / "Dockerfile",
            iidfile=folder / "image",
            tags=request.tags,
            labels=tuple(sorted({**described(tree, request.title), **dict(request.labels)}.items())),
            secrets=_secrets(request.secrets),
            cache=request.cache,
            proxies=command.proxies(os.environ),
            namespace=request.namespace,
        )
        with _room(folder):
            dockerfile = _stage(tree, plan, client, order)
        admission.admit(engine, dockerfile, order.tags, on_event, cancelled)
        reader = _reader(client, StepNames(dockerfile))
        code = _follow(client, order, reader, on_event, cancelled, request.timeout, tree.origin.time or STAGED_TIME)
        if cancelled is not None and cancelled.is_set():
            raise E_BUILD_CANCELLED()
        if code != 0 or not order.iidfile.exists():
            step = reader.log.failed.name if reader.log.failed else "the build"
            raise diagnose(step, reader.log.lines(), lambda package: requirement(tree, package))
        identity = order.iidfile.read_text().strip()
    return _image(engine, identity, order.tags, reader, round(time.monotonic() - began, 3))


def described(tree: Tree, title: str) -> dict[str, str]:
    """Return the standard labels of an image: org.opencontainers.image.*, as far as they are known."""
    origin = tree.origin
    # The time of the commit, not of the build: the same source gives the same image.
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(origin.time)) if origin.time else ""
    # A folder's path says something about this machine and nothing to anybody else.
    source = origin.place if origin.kind == "git" else ""
    known = {"title": title, "source": source, "revision": origin.commit, "version": origin.ref, "created": stamp}
    return {f"org.opencontainers.image.{name}": value for name, value in known.items() if value}


@contextlib.contextmanager
def _room(folder: Path) -> Iterator[None]:
    """Say which disk it is when the block runs into a full one. Raises E_BUILD_DISK."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        why = f"there is no room for a copy of the source in {folder.parent}"
        raise E_BUILD_DISK(step="copy the source", why=why, log=()) from None


def _secrets(given: Sequence[tuple[str, Path]]) -> tuple[tuple[str, str], ...]:
    bundle = command.ca_bundle(os.environ)
    trust = (("ca", bundle),) if bundle else ()
    return (*trust, *((name, str(path)) for name, path in sorted(given)))


def _stage(tree: Tree, plan: BuildPlan, client: BuildClient, order: command.Order) -> str:
    """Write what the client reads: the context, and beside it the Dockerfile, whose text is returned."""
    source = order.context
    order.context.mkdir(mode=0o700)
    if plan.dockerfile:
        dockerfile = tree.text(plan.dockerfile)
    elif client.kind == "classic":
        source = order.context / classic.SOURCE
        source.mkdir(mode=0o700)
        bundle = dict(order.secrets).get("ca", "")
        if bundle:
            (order.context / classic.CA).write_bytes(Path(bundle).read_bytes())
        dockerfile = render(classic.lowered(plan, ca=bool(bundle)))
    else:
        dockerfile = render(plan)
    tree.stage(source)
    if client.kind != "classic":
        tell_apart(tree, source)
    order.dockerfile.write_text(dockerfile)
    # Beats a .dockerignore of the source, which the tree has respected already: a second reading by other rules
    # could leave out what the Dockerfile names.
    order.dockerfile.with_name("Dockerfile.dockerignore").write_text("# nothing more\n")
    return dockerfile


def _reader(client: BuildClient, names: StepNames) -> Reader:
    if client.kind == "classic":
        return classic.ClassicReader(names)
    return RawReader(names) if client.progress == "rawjson" else PlainReader(names)


def _follow(
    client: BuildClient,
    order: command.Order,
    reader: Reader,
    on_event: Callable[[StepEvent], None],
    cancelled: threading.Event | None,
    timeout: float,
    epoch: int,
) -> int:
    running: dict[str, str] = {}

    def read(line: bytes) -> None:
        for event in reader.feed(line):
            if event.status == "started":
                running[event.step] = event.name
            elif event.status != "log":
                running.pop(event.step, None)
            on_event(event)

    environment = command.environment(os.environ, client, connection.host(), epoch)
    argv = command.argv(client, order)
    try:
        # Not in the folder that is built, which is likely the current one: Python and Docker look into theirs.
        return shell.stream(
            argv, read, timeout=timeout, env=environment, cwd=order.dockerfile.parent, cancelled=cancelled
        )
    except shell.TimedOut:
        step = next(iter(running.values()), "the build")
        raise E_BUILD_TIMEOUT(seconds=f"{timeout:g}", step=step, log=reader.log.lines()[-SHOWN_LINES:]) from None


def _image(engine: Wire, identity: str, tags: tuple[str, ...], reader: Reader, seconds: float) -> Image:
    details = engine.get(f"/images/{identity}/json")
    try:
        admission.settled(details.get("Config") or {}, "the image")
    except S2IError:
        engine.delete(f"/images/{identity}", {"force": "true"})
        raise
    digests = (str(name).rpartition("@")[2] for name in details.get("RepoDigests") or ())
    return Image(
        id=str(details["Id"]),
        digest=next(digests, identity),
        size=int(details["Size"]),
        tags=tags,
        steps=tuple(reader.log.steps),
        seconds=seconds,
    )
