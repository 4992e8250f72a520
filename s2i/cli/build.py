"""`s2i build SRC`: an image."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from s2i import sources
from s2i.cli.eventlines import EventLines
from s2i.cli.output import emit, output_option
from s2i.cli.plan import source_options
from s2i.cli.progress import Progress, progress_option, shown
from s2i.errors import E_VALUE

if TYPE_CHECKING:
    from s2i.images.events import Image
    from s2i.images.limits import Limits
    from s2i.planning.plan import BuildPlan

# Folders that are called the same in every project: the one above says more.
GENERIC = frozenset({"app", "apps", "src", "source", "code"})


@click.command()
@click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:VERSION]", help="Name the image; may be repeated.")
@click.option("--plan", "plan_file", metavar="FILE", help="Build by a plan that `s2i plan --save` wrote.")
@click.option("--no-cache", is_flag=True, help="Run every step anew.")
@click.option("--timeout", default="1800", metavar="SECONDS", show_default=True, help="End the build after this long.")
@click.option("--memory", metavar="SIZE", help="The most that a step may use, like 2G [default: no limit].")
@click.option("--cpu", metavar="CORES", help="The most that a step may use, like 1.5 [default: no limit].")
@source_options
@progress_option
@output_option
def build(
    src: str,
    commit: str,
    context_dir: str,
    strategy: str,
    tags: tuple[str, ...],
    plan_file: str | None,
    no_cache: bool,
    timeout: str,
    memory: str | None,
    cpu: str | None,
    progress: str,
    output: str | None,
) -> None:
    """Build an image from SRC and print its id. Progress goes to standard error; `s2i buildrun` keeps the log.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo.

    \b
    Example:  s2i build ./src -t shop:1.2
              s2i build ./src --plan s2i.plan.json
    """
    from s2i.engines.docker import connection
    from s2i.images import admission, limits
    from s2i.resources.config import parse_seconds

    seconds = parse_seconds(timeout)
    most = limits.parse(memory, cpu, os.environ)
    checked = tuple(admission.tag(tag) for tag in tags)
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    plans = _plans(plan_file, strategy)
    connection.wire()  # says so at once when there is no engine, not after a clone
    with interruptible():
        image, notices = _built(
            source, plans, checked, seconds, most, shown(progress, output),
            strategy=f"plan {plan_file}" if plan_file else strategy, cache=not no_cache,
        )  # fmt: skip
    if output:
        data = msgspec.to_builtins(image)
        emit({"image": data.pop("id"), **data, "warnings": notices}, output)
    else:
        click.echo(image.id)


def _plans(plan_file: str | None, strategy: str) -> Callable[[sources.Tree], BuildPlan]:
    """Return what plans a tree: detection, or a saved plan, which is read now. Raises E_PLAN, E_VALUE."""
    if plan_file is None:
        return lambda tree: _compiled(tree, strategy)
    if strategy != "auto":
        raise E_VALUE(what="--strategy", value=strategy, why="--plan has the plan already", command="build")
    from s2i.cli import planfile
    from s2i.planning import saved

    plan = planfile.load(plan_file)

    def suiting(tree: sources.Tree) -> BuildPlan:
        from s2i.images import bases

        saved.check(plan, tree, plan_file)
        saved.check_base(plan, bases.refresh(), plan_file)
        older = tuple(notice for notice in plan.warnings if notice not in tree.notices)
        return msgspec.structs.replace(plan, warnings=(*tree.notices, *older))

    return suiting


def _compiled(tree: sources.Tree, strategy: str) -> BuildPlan:
    from s2i.images import planned

    return planned.plan(tree, strategy)


def _built(
    source: sources.Source,
    plans: Callable[[sources.Tree], BuildPlan],
    tags: tuple[str, ...],
    seconds: float,
    most: Limits,
    display: Progress | EventLines,
    *,
    strategy: str,
    cache: bool,
) -> tuple[Image, tuple[sources.Notice, ...]]:
    """Fetch, plan and build; return the image and everything that a person should know about it."""
    from s2i.images import again
    from s2i.images.build import build as build_image
    from s2i.images.request import BuildRequest
    from s2i.images.runs.run import new_id
    from s2i.resources import labels, names
    from s2i.sources.commit import with_commit

    notices: list[sources.Notice] = []
    with display as progress, sources.fetch(source, policy=sources.Policy.of(os.environ)) as fetched:
        tree = with_commit(fetched)
        name = names.suggest(title(source))
        wanted = BuildRequest(
            title=name,
            strategy=strategy,
            tags=tags or (f"s2i/{name}:latest",),
            labels=((labels.BUILD, name),),
            timeout=seconds,
            cache=cache,
            run=new_id(),
            limits=most,
        )
        if made := again.recall(tree, wanted):
            progress.plan(made.plan)
            image = again.give(made, wanted)
            progress.built(image, "nothing has changed since the last build")
            return image, made.plan.warnings
        plan = plans(tree)
        progress.plan(plan)

        def noticed(notice: sources.Notice) -> None:
            notices.append(notice)
            progress.notice(notice)

        progress.run(wanted.run)
        image = build_image(tree, plan, wanted, on_event=progress.step, on_notice=noticed)
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
