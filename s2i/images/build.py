"""Build an image: stage the context, run the client, follow it, name what went wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from s2i import shell
from s2i.engines.docker import connection
from s2i.errors import E_BUILD_CANCELLED, E_BUILD_DISK, E_BUILD_TIMEOUT, S2IError
from s2i.images import admission, again, api, carried, clients, command, passing, platforms, result
from s2i.images.cage import Cage, caged
from s2i.images.carried.labels import described
from s2i.images.clients import BuildClient
from s2i.images.context import SOURCE, moved, tell_apart
from s2i.images.events import Image, StepEvent
from s2i.images.log import SHOWN_LINES
from s2i.images.private import kept, mounts
from s2i.images.private.kept import Kept
from s2i.images.progress import PlainReader, RawReader, Reader
from s2i.images.request import BuildRequest
from s2i.images.runs import turn
from s2i.images.runs.record import recorded
from s2i.images.steps import StepNames
from s2i.planning.plan import BuildPlan
from s2i.resources import labels
from s2i.sources import Notice, Tree, workspace
from s2i.sources.tree import STAGED_TIME
from s2i.wire import Refused, Wire

# What BuildKit gets as SOURCE_DATE_EPOCH. Not the commit's time: it is in the key of every step, so that another one
# with each commit would let nothing be cached. That time is in the label org.opencontainers.image.created.
EPOCH = STAGED_TIME


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
    E_BUILD_CANCELLED, E_BUILD_TIMEOUT, E_DOCKER, E_EXTRA_INDEX, E_SECRET_BUILDER, E_BUILD_ARG.
    """
    began = time.monotonic()
    plan = mounts.private(plan, request)
    whole, tree = tree, tree.subtree(plan.subdir) if plan.subdir else tree
    text = tree.text(plan.dockerfile) if plan.dockerfile else ""
    with (
        recorded(plan, whole.origin, request, on_event, on_notice, cancelled) as record,
        turn.taken(record.event, record.cancelled),
        caged(request.limits, os.environ, connection.host(), text, record.notice) as cage,
        connection.lasting(),
    ):
        secret = kept.of(request, os.environ, record.notice)
        engine = connection.wire()
        before = again.key(whole, request) if request.remembered else ""
        run = _Run(engine, tree, plan, request, secret, record.event, record.cancelled, cage)
        recipe = again.recipe(whole, plan, request) if request.client is None and api.fits(tree) else ""
        made = passing.twice(lambda: _made(run, recipe, record.notice), record.again)
        seconds = round(time.monotonic() - began, 3)
        image = record.made(_image(engine, made.identity, request, made.reader, seconds))
        if request.remembered:
            carried.keep(engine, image, run.tree, plan, request, made.dockerfile, made.bases, made.how, record.notice)
    again.remember(whole, plan, request, image, made.bases, made.recipe, before)
    return image


class _Made(NamedTuple):
    """What a way of building leaves: the image's ID, the Dockerfile to build again, each base's ID, what was read.

    ``dockerfile``: the one that was built; ``how``: the client, for people.
    """

    identity: str
    recipe: str
    bases: dict[str, str]
    reader: Reader
    dockerfile: str
    how: str


def _made(run: _Run, recipe: str, on_notice: Callable[[Notice], None]) -> _Made:
    """Build once, in the quickest way that there is."""
    made = run.by_api(recipe) if recipe else None
    if made is not None:
        return made
    client = run.request.client or clients.find(run.engine.server)
    platforms.check_client(client, run.request.platform)
    if client.loss:
        on_notice(Notice("W_NO_BUILDKIT", client.loss))
        run.secret.refuse()
    return run.by_client(client)


class _Run(NamedTuple):
    """One build, and the ways in which it can be done."""

    engine: Wire
    tree: Tree
    plan: BuildPlan
    request: BuildRequest
    secret: Kept
    on_event: Callable[[StepEvent], None]
    cancelled: threading.Event
    cage: Cage

    def by_api(self, dockerfile: str) -> _Made | None:
        """Build through the engine's API; None when it cannot be done without a client."""
        found = admission.admit(self.engine, dockerfile, self.request.tags, self.on_event, self.cancelled)
        reader = api.ApiReader(StepNames(dockerfile))
        reader.log.redact = self.secret.redactor
        order = self._labelled(self._order(Path()), dockerfile, found)
        archive = api.context(self.tree, dockerfile)
        try:
            with self._watched(reader) as read:
                api.follow(
                    self.engine, api.query(order, EPOCH), archive, read,
                    timeout=self.request.timeout, cancelled=self.cancelled,
                )  # fmt: skip
        except (OSError, Refused):
            return None  # a client finds the words for what is wrong
        if reader.unfit or not (reader.whole or self.cancelled.is_set()):
            return None
        self._judge(reader, bool(reader.image) and not reader.error)
        return _Made(reader.image, dockerfile, found, reader, dockerfile, "the engine itself")

    def by_client(self, client: BuildClient) -> _Made:
        """Build with a client, which is a process of its own."""
        with workspace("build") as folder, self.secret.handed(folder) as handed:
            order = self._order(folder, handed)
            with _room(folder):
                dockerfile = _stage(self.tree, self.plan, client, order)
            found = admission.admit(
                self.engine, dockerfile, order.tags, self.on_event, self.cancelled, self.request.platform
            )
            order = self._labelled(order, dockerfile, found)
            reader = _reader(client, StepNames(dockerfile))
            reader.log.redact = self.secret.redactor
            environment = command.environment(os.environ | dict(order.marks), client, connection.host(), EPOCH)
            with self._watched(reader) as read:
                # Not in the folder that is built, which is likely the current one: Python and Docker look into theirs.
                code = shell.stream(
                    command.argv(client, order), read,
                    timeout=self.request.timeout, env=environment, cwd=folder, cancelled=self.cancelled,
                )  # fmt: skip
            identity = result.identity(order.iidfile.read_text()) if order.iidfile.exists() else ""
            self._judge(reader, code == 0 and bool(identity), code)
            # Without a client that speaks BuildKit the recipe is another one.
            recipe = "" if client.kind == "classic" or self.plan.dockerfile else dockerfile
            how = f"{client.kind} {client.version}".strip()
            return _Made(identity, recipe, found, reader, dockerfile, how)

    def _order(self, folder: Path, handed: tuple[tuple[str, str], ...] = ()) -> command.Order:
        request = self.request
        return command.Order(
            context=folder / "context",
            dockerfile=folder / "Dockerfile",
            iidfile=folder / "image",
            tags=request.tags,
            secrets=(*_trust(), *handed),
            cache=request.cache,
            proxies=self.secret.proxies(self.tree, self.plan),
            namespace=request.namespace,
            salt=self.secret.salt,
            arguments=request.arguments,
            platform=request.platform,
            marks=tuple(self.cage.marks.items()),
        )

    def _labelled(self, order: command.Order, dockerfile: str, found: dict[str, str]) -> command.Order:
        """Return ``order`` with all labels: what the image says of itself, whose it is, what the request adds."""
        request = self.request
        owner = labels.JOB if self.plan.kind == "job" else labels.APP
        said = described(self.tree.origin, request.title, self.plan, dockerfile, found)
        whose = {owner: request.owner} if request.owner else {}
        words = {**dict.fromkeys(labels.OF_CONTAINERS, ""), **said, **whose, **dict(request.labels)}
        return msgspec.structs.replace(order, labels=tuple(sorted(words.items())))

    def _judge(self, reader: Reader, well: bool, code: int = 0) -> None:
        """Raise what the build ended with, when it did not end well. ``code``: the client's exit status."""
        if self.cancelled.is_set():
            raise E_BUILD_CANCELLED()
        if not well:
            from s2i.images import ended  # as _diagnosed: not on the way of a build that works

            failed, lines = reader.log.failed, reader.log.lines()
            step = failed.name if failed else "the build"
            self.cage.explain(step, lines[-SHOWN_LINES:])
            platforms.explain(step, lines, self.request.platform)
            ended.judge(code, step, lines, failed=failed)
            raise _diagnosed(step, lines, self.tree, self.plan, self.request.index)

    @contextlib.contextmanager
    def _watched(self, reader: Reader) -> Iterator[Callable[[bytes], None]]:
        """Yield what takes the lines of a build; name the step that ran when its time is over."""
        running: dict[str, str] = {}

        def read(line: bytes) -> None:
            for event in reader.feed(line):
                if event.status == "started":
                    running[event.step] = event.name
                    self.cage.step()
                elif event.status not in ("log", "progress"):
                    running.pop(event.step, None)
                self.on_event(event)

        try:
            yield read
        except shell.TimedOut:
            # The last that began: of those before it that were in the cache it may not be told yet.
            step = next(reversed(running.values()), "the build")
            tail = reader.log.lines()[-SHOWN_LINES:]
            raise E_BUILD_TIMEOUT(seconds=f"{self.request.timeout:g}", step=step, log=tail) from None


def _diagnosed(step: str, lines: tuple[str, ...], tree: Tree, plan: BuildPlan, index: str) -> S2IError:
    from s2i.images.diagnose import Failed, diagnose, requirement  # not on the way of a build that works

    host = urllib.parse.urlsplit(index).hostname or ""
    server = next((re.split(r"[^\w.-]", one.value)[0] for one in plan.decisions if one.what == "server"), "")
    failed = Failed(
        step=step, lines=lines, python=plan.python, own=bool(plan.dockerfile), index=host, server=server
    )  # fmt: skip
    return diagnose(failed, lambda package: requirement(tree, package))


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


def _trust() -> tuple[tuple[str, str], ...]:
    bundle = command.ca_bundle(os.environ)
    return (("ca", bundle),) if bundle else ()


def _stage(tree: Tree, plan: BuildPlan, client: BuildClient, order: command.Order) -> str:
    """Write what the client reads: the context, and beside it the Dockerfile, whose text is returned."""
    order.context.mkdir(mode=0o700)
    source = order.context
    if plan.dockerfile:
        dockerfile = tree.text(plan.dockerfile)
    else:
        source = order.context / SOURCE
        source.mkdir(mode=0o755)
        from s2i.images.dockerfile import render  # a build by the engine's API has its text already

        dockerfile = render(moved(plan) if client.kind != "classic" else _lowered(plan, order))
    tree.stage(source)
    if client.kind != "classic":
        tell_apart(tree, source)
    order.dockerfile.write_text(dockerfile)
    # Beats a .dockerignore of the source, which the tree has respected already: a second reading by other rules
    # could leave out what the Dockerfile names.
    order.dockerfile.with_name("Dockerfile.dockerignore").write_text("# nothing more\n")
    return dockerfile


def _lowered(plan: BuildPlan, order: command.Order) -> BuildPlan:
    from s2i.images import classic  # the last resort: what every build would have to load for it

    bundle = dict(order.secrets).get("ca", "")
    if bundle:
        (order.context / classic.CA).write_bytes(Path(bundle).read_bytes())
    return classic.lowered(moved(plan), ca=bool(bundle))


def _reader(client: BuildClient, names: StepNames) -> Reader:
    if client.kind == "classic":
        from s2i.images.classic import ClassicReader

        return ClassicReader(names)
    return RawReader(names) if client.progress == "rawjson" else PlainReader(names)


def _image(engine: Wire, identity: str, request: BuildRequest, reader: Reader, seconds: float) -> Image:
    details = engine.get(f"/images/{identity}/json", result.SIZES)
    try:
        admission.settled(details.get("Config") or {}, "the image")
        platforms.check(details, request.platform)
    except S2IError:
        engine.delete(f"/images/{identity}", {"force": "true"})
        raise
    digests = (str(name).rpartition("@")[2] for name in details.get("RepoDigests") or ())
    return Image(
        id=str(details["Id"]),
        digest=next(digests, identity),
        size=result.size(details),
        tags=request.tags,
        steps=tuple(reader.log.steps),
        seconds=seconds,
    )
