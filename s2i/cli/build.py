"""`s2i build SRC`: an image."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click
import msgspec

from s2i import sources
from s2i.cli.eventlines import EventLines
from s2i.cli.output import emit, output_option
from s2i.cli.plan import source_options
from s2i.cli.private import arguments_of, asked, private_options
from s2i.cli.progress import Progress, progress_option, shown
from s2i.errors import E_OPTION, S2IError
from s2i.resources.app import Config

if TYPE_CHECKING:
    from s2i.images.events import Image
    from s2i.images.prove import Proof
    from s2i.images.request import BuildRequest, PlanRequest
    from s2i.planning.plan import BuildPlan

# Folders that are called the same in every project: the one above says more.
GENERIC = frozenset({"app", "apps", "src", "source", "code"})


@click.command()
@click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:VERSION]", help="Name the image; may be repeated.")
@click.option("--plan", "plan_file", metavar="FILE", help="Build by a plan that `s2i plan --save` wrote.")
@click.option("--push", is_flag=True, help="Push the image to the registry that each --tag names.")
@click.option("--platform", default="", metavar="OS/ARCH", help="Build for another processor: linux/arm64.")
@click.option("--no-cache", is_flag=True, help="Run every step anew.")
@click.option("--timeout", default="1800", metavar="SECONDS", show_default=True, help="End the build after this long.")
@click.option(
    "--prove", is_flag=True, help="Run the image without a network and see that it serves; name it only then."
)
@click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set a variable in the proof; may be repeated.")
@click.option(
    "--build-arg", multiple=True, metavar="NAME[=VALUE]", help="Set an ARG of SRC's own Dockerfile; may be repeated."
)
@click.option("--locked", is_flag=True, help="Install only what a lock or hashes pin; refuse anything else.")
@click.option("--memory", metavar="SIZE", help="The most that a step may use, like 2G [default: no limit].")
@click.option("--cpu", metavar="CORES", help="The most that a step may use, like 1.5 [default: no limit].")
@private_options
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
    push: bool,
    platform: str,
    no_cache: bool,
    timeout: str,
    prove: bool,
    env: tuple[str, ...],
    build_arg: tuple[str, ...],
    locked: bool,
    secret: tuple[str, ...],
    index_url: str,
    netrc: str,
    memory: str | None,
    cpu: str | None,
    progress: str,
    output: str | None,
) -> None:
    """Build an image from SRC and print its id; with --push, its name and digest in the registry.

    Progress goes to standard error; `s2i buildrun` keeps the log.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo.

    \b
    Example:  s2i build ./src -t shop:1.2
              s2i build ./src --plan s2i.plan.json
              s2i build ./src --index-url https://pypi.example.com/simple
    """
    from s2i.engines.docker import connection
    from s2i.images import admission, limits, platforms
    from s2i.images.request import CLI, BuildRequest, PlanRequest
    from s2i.images.runs.run import new_id
    from s2i.resources import labels, names
    from s2i.resources.config import parse_env, parse_seconds

    if env and not prove:
        why = "only a proof has one: --prove"
        raise E_OPTION(what=f"--env {env[0].partition('=')[0]}", why=why, command="build")
    seconds = parse_seconds(timeout)
    most = limits.parse(memory, cpu, os.environ)
    checked = tuple(admission.tag(tag) for tag in tags)
    if push:
        _check_targets(checked)
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    private, name = asked(secret, index_url, netrc), names.suggest(title(source))
    wanted = BuildRequest(
        title=name,
        planning=PlanRequest(strategy, locked, platforms.parse(platform) if platform else "", plan_file or ""),
        tags=checked or (f"s2i/{name}:latest",),
        labels=((labels.BUILD, name),),
        secrets=private.secrets,
        index=private.index,
        arguments=arguments_of(build_arg),
        namespace=CLI,
        timeout=seconds,
        cache=not no_cache,
        push=push,
        run=new_id(),
        limits=most,
    )
    order = _Order(source, wanted, _plans(wanted.planning), Config(parse_env(env)) if prove else None, private.notices)
    connection.wire()  # says so at once when there is no engine, not after a clone
    with interruptible():
        image, notices, proof = _built(order, shown(progress, output))
    if output:
        data = msgspec.to_builtins(image)
        proven = {"proof": proof} if proof else {}
        emit({"image": data.pop("id"), **data, "warnings": notices, **proven}, output)
    else:
        click.echo("\n".join(image.pushed) or image.id)
    _tidy(image)


def _tidy(image: Image) -> None:
    """Now and then, remove what builds before left: after the result is out, and never a reason to fail."""
    from s2i.images.stock import due

    if due.due(image.id, image.seconds, time.time()):
        from s2i.images.stock import tidy

        with contextlib.suppress(S2IError):
            if removed := tidy.tidy(time.time()):
                count = f"{removed} image{'' if removed == 1 else 's'}"
                click.echo(f"note   removed {count} that later builds replaced days ago (`s2i image gc -h`)", err=True)


class _Order(NamedTuple):
    """All that the options ask for. ``config``: how the image is run for its proof, None for none."""

    source: sources.Source
    wanted: BuildRequest
    plans: Callable[[sources.Tree], BuildPlan]
    config: Config | None
    notices: tuple[sources.Notice, ...]

    def replan(self, tree: sources.Tree, plan: BuildPlan, proof: Proof) -> BuildPlan | None:
        """Return a plan by what the proof has shown; None for a saved one, which is built as it stands."""
        from s2i.images.prove import outcome

        return None if self.wanted.planning.saved else outcome.replanned(tree, plan, proof, self.wanted.planning)


def _check_targets(tags: tuple[str, ...]) -> None:
    """Refuse --push where there is no place to push to. Raises E_OPTION, E_TAG."""
    from s2i.images.push import target

    if not tags:
        why = "no --tag says where to: -t registry.example/shop:1.2"
        raise E_OPTION(what="--push", why=why, command="build")
    for tag in tags:
        target(tag)


def _plans(wanted: PlanRequest) -> Callable[[sources.Tree], BuildPlan]:
    """Return what plans a tree: detection, or a saved plan, which is read now. Raises E_PLAN, E_OPTION."""
    if not wanted.saved:
        return lambda tree: _compiled(tree, wanted)
    if wanted.locked:
        why = "whether a plan that is saved installs from a lock was decided when it was made"
        raise E_OPTION(what="--locked beside --plan", why=why, command="build")
    if wanted.strategy != "auto":
        raise E_OPTION(what="--strategy beside --plan", why="--plan has the plan already", command="build")
    from s2i.cli import planfile
    from s2i.planning import saved

    plan = planfile.load(wanted.saved)

    def suiting(tree: sources.Tree) -> BuildPlan:
        from s2i.images import bases

        saved.check(plan, tree, wanted.saved)
        saved.check_base(plan, bases.refresh(), wanted.saved)
        older = tuple(notice for notice in plan.warnings if notice not in tree.notices)
        return msgspec.structs.replace(plan, warnings=(*tree.notices, *older))

    return suiting


def _compiled(tree: sources.Tree, wanted: PlanRequest) -> BuildPlan:
    from s2i.images import planned

    return planned.plan(tree, wanted)


def _built(order: _Order, display: Progress | EventLines) -> tuple[Image, tuple[sources.Notice, ...], Proof | None]:
    """Fetch, plan, build, prove, push; return the image, all that a person should know about it, and its proof."""
    from s2i.images import again
    from s2i.sources.commit import with_commit

    notices: list[sources.Notice] = []
    # Only what is proven gets a name.
    wanted = msgspec.structs.replace(order.wanted, tags=()) if order.config else order.wanted
    with display as progress, sources.fetch(order.source, policy=sources.Policy.of(os.environ)) as fetched:
        tree = with_commit(fetched)

        def noticed(notice: sources.Notice) -> None:
            notices.append(notice)
            progress.notice(notice)

        def built(plan: BuildPlan) -> Image:
            from s2i.images.build import build as build_image  # what nothing has to be done for is done without

            progress.plan(plan)
            progress.run(wanted.run)
            made = build_image(tree, plan, wanted, on_event=progress.step, on_notice=noticed)
            progress.built(made)
            return made

        for notice in order.notices:
            noticed(notice)
        if found := again.recall(tree, wanted):
            plan, image, proof = found.plan, again.give(found, wanted), None
            progress.plan(plan)
            progress.built(image, "nothing has changed since the last build")
        else:
            plan, proof = order.plans(tree), None
            image = built(plan)
        if order.config:
            from s2i.cli.proof import proven

            image, plan, proof = proven(
                image, plan, order.config, tags=order.wanted.tags, build=built,
                replan=functools.partial(order.replan, tree), progress=progress, noticed=noticed,
            )  # fmt: skip
        return _pushed(image, order.wanted, progress), (*plan.warnings, *notices), proof


def _pushed(image: Image, wanted: BuildRequest, progress: Progress | EventLines) -> Image:
    """Return the image as the registry has it, when it is wanted there."""
    if not wanted.push:
        return image
    from s2i.images.push import push

    return push(image, wanted.timeout, on_event=progress.step)


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
