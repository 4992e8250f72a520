"""`s2i build SRC`: an image."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from s2i import sources
from s2i.cli.output import emit, output_option
from s2i.cli.plan import source_options

if TYPE_CHECKING:
    from s2i.images.events import Image

# Folders that are called the same in every project: the one above says more.
GENERIC = frozenset({"app", "apps", "src", "source", "code"})


@click.command()
@click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:VERSION]", help="Name the image; may be repeated.")
@click.option("--no-cache", is_flag=True, help="Run every step anew.")
@click.option("--timeout", default="1800", metavar="SECONDS", show_default=True, help="End the build after this long.")
@source_options
@output_option
def build(
    src: str,
    commit: str,
    context_dir: str,
    strategy: str,
    tags: tuple[str, ...],
    no_cache: bool,
    timeout: str,
    output: str | None,
) -> None:
    """Build an image from SRC and print its id. Progress goes to standard error.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo.

    \b
    Example:  s2i build ./src -t shop:1.2
    """
    from s2i.engines.docker import connection
    from s2i.images import admission
    from s2i.resources.config import parse_seconds

    seconds = parse_seconds(timeout)
    checked = tuple(admission.tag(tag) for tag in tags)
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    connection.client()  # says so at once when there is no engine, not after a clone
    with interruptible():
        image, notices = _built(source, strategy, checked, seconds, cache=not no_cache)
    if output:
        data = msgspec.to_builtins(image)
        emit({"image": data.pop("id"), **data, "warnings": notices}, output)
    else:
        click.echo(image.id)


def _built(
    source: sources.Source, strategy: str, tags: tuple[str, ...], seconds: float, *, cache: bool
) -> tuple[Image, tuple[sources.Notice, ...]]:
    """Fetch, plan and build; return the image and everything that a person should know about it."""
    from s2i.cli.progress import Progress
    from s2i.images import planned
    from s2i.images.build import build as build_image
    from s2i.resources import labels, names
    from s2i.sources.commit import with_commit

    notices: list[sources.Notice] = []
    with Progress() as progress, sources.fetch(source, policy=sources.Policy.of(os.environ)) as fetched:
        tree = with_commit(fetched)
        plan = planned.plan(tree, strategy)
        progress.plan(plan)

        def noticed(notice: sources.Notice) -> None:
            notices.append(notice)
            progress.notice(notice)

        name = names.suggest(title(source))
        image = build_image(
            tree,
            plan,
            title=name,
            tags=tags or (f"s2i/{name}:latest",),
            labels={labels.BUILD: name},
            on_event=progress.step,
            on_notice=noticed,
            timeout=seconds,
            cache=cache,
        )
        progress.built(image)
    return image, (*plan.warnings, *notices)


def title(source: sources.Source) -> str:
    """Return what a person calls the source: the last part of its path or URL that says something."""
    place = os.path.realpath(source.path) if isinstance(source, sources.Folder) else source.url
    parts = [part for part in f"{place}/{source.subdir}".replace(":", "/").split("/") if part]
    telling = (part for part in reversed(parts) if part.lower() not in GENERIC)
    return next(telling, parts[-1] if parts else "")


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let a closed terminal or a plain `kill` end the block as Ctrl-C does: everything is put away first."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
