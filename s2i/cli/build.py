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
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from s2i import sources
from s2i.cli.output import emit, output_option
from s2i.cli.plan import source_options
from s2i.cli.private import Private, arguments_of, asked, private_options
from s2i.errors import E_VALUE, S2IError
from s2i.resources.app import Config

if TYPE_CHECKING:
    from s2i.images.events import Image
    from s2i.images.prove import Proof
    from s2i.images.request import BuildRequest
    from s2i.planning.plan import BuildPlan

# Folders that are called the same in every project: the one above says more.
GENERIC = frozenset({"app", "apps", "src", "source", "code"})


@click.command()
@click.option("-t", "--tag", "tags", multiple=True, metavar="NAME[:VERSION]", help="Name the image; may be repeated.")
@click.option("--plan", "plan_file", metavar="FILE", help="Build by a plan that `s2i plan --save` wrote.")
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
@private_options
@source_options
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
    prove: bool,
    env: tuple[str, ...],
    build_arg: tuple[str, ...],
    locked: bool,
    secret: tuple[str, ...],
    index_url: str,
    netrc: str,
    output: str | None,
) -> None:
    """Build an image from SRC and print its id. Progress goes to standard error.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo.

    \b
    Example:  s2i build ./src -t shop:1.2
              s2i build ./src --plan s2i.plan.json
              s2i build ./src --index-url https://pypi.example.com/simple
    """
    from s2i.engines.docker import connection
    from s2i.images import admission
    from s2i.resources.config import parse_env, parse_seconds

    seconds = parse_seconds(timeout)
    if env and not prove:
        raise E_VALUE(
            what="--env", value=env[0].partition("=")[0], why="only a proof has one: --prove", command="build"
        )
    proving = _Proving(Config(parse_env(env)), None if plan_file else strategy, locked) if prove else None
    checked = tuple(admission.tag(tag) for tag in tags)
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    plans = _plans(plan_file, strategy, locked=locked)
    private, arguments = asked(secret, index_url, netrc), arguments_of(build_arg)
    way = f"plan {plan_file}" if plan_file else f"{strategy} locked" if locked else strategy
    connection.wire()  # says so at once when there is no engine, not after a clone
    with interruptible():
        image, notices, proof = _built(
            source, plans, checked, seconds, private, arguments, strategy=way, cache=not no_cache, proving=proving
        )
    if output:
        data = msgspec.to_builtins(image)
        proven = {"proof": proof} if proof else {}
        emit({"image": data.pop("id"), **data, "warnings": notices, **proven}, output)
    else:
        click.echo(image.id)
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


class _Proving(msgspec.Struct, frozen=True):
    """How an image is proven: with which configuration; ``strategy`` None for a plan that was saved."""

    config: Config
    strategy: str | None
    locked: bool

    def replan(self, tree: sources.Tree, plan: BuildPlan, proof: Proof) -> BuildPlan | None:
        """Return a plan by what the proof has shown; None for a saved one, which is built as it stands."""
        from s2i.images.prove import outcome

        if self.strategy is None:
            return None
        return outcome.replanned(tree, plan, proof, self.strategy, locked=self.locked)


def _plans(plan_file: str | None, strategy: str, *, locked: bool = False) -> Callable[[sources.Tree], BuildPlan]:
    """Return what plans a tree: detection, or a saved plan, which is read now. Raises E_PLAN, E_VALUE."""
    if plan_file is None:
        return lambda tree: _compiled(tree, strategy, locked=locked)
    if locked:
        why = "whether a plan that is saved installs from a lock was decided when it was made"
        raise E_VALUE(what="--locked", value="--plan", why=why, command="build")
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


def _compiled(tree: sources.Tree, strategy: str, *, locked: bool = False) -> BuildPlan:
    from s2i.images import planned

    return planned.plan(tree, strategy, locked=locked)


def _built(
    source: sources.Source,
    plans: Callable[[sources.Tree], BuildPlan],
    tags: tuple[str, ...],
    seconds: float,
    private: Private,
    arguments: tuple[tuple[str, str], ...],
    *,
    strategy: str,
    cache: bool,
    proving: _Proving | None = None,
) -> tuple[Image, tuple[sources.Notice, ...], Proof | None]:
    """Fetch, plan, build, prove; return the image, everything that a person should know about it, and its proof."""
    from s2i.cli.progress import Progress
    from s2i.images import again
    from s2i.images.build import build as build_image
    from s2i.sources.commit import with_commit

    notices: list[sources.Notice] = []
    with Progress() as progress, sources.fetch(source, policy=sources.Policy.of(os.environ)) as fetched:
        tree = with_commit(fetched)
        wanted = _wanted(source, tags, seconds, private, arguments, strategy=strategy, cache=cache)
        tags = wanted.tags
        if proving:  # only what is proven gets a name
            wanted = msgspec.structs.replace(wanted, tags=())

        def noticed(notice: sources.Notice) -> None:
            notices.append(notice)
            progress.notice(notice)

        for notice in private.notices:
            noticed(notice)

        def built(plan: BuildPlan) -> Image:
            progress.plan(plan)
            made = build_image(tree, plan, wanted, on_event=progress.step, on_notice=noticed)
            progress.built(made)
            return made

        if found := again.recall(tree, wanted):
            plan, image = found.plan, again.give(found, wanted)
            progress.plan(plan)
            progress.built(image, "nothing has changed since the last build")
        else:
            plan = plans(tree)
            image = built(plan)
        if not proving:
            return image, (*plan.warnings, *notices), None
        from s2i.cli.proof import proven

        done = proven(
            image, plan, proving.config, tags=tags, build=built, replan=functools.partial(proving.replan, tree),
            progress=progress, noticed=noticed,
        )  # fmt: skip
    return done.image, (*done.plan.warnings, *notices), done.proof


def _wanted(
    source: sources.Source,
    tags: tuple[str, ...],
    seconds: float,
    private: Private,
    arguments: tuple[tuple[str, str], ...],
    *,
    strategy: str,
    cache: bool,
) -> BuildRequest:
    from s2i.images.request import CLI, BuildRequest
    from s2i.resources import labels, names

    name = names.suggest(title(source))
    return BuildRequest(
        title=name,
        strategy=strategy,
        tags=tags or (f"s2i/{name}:latest",),
        labels=((labels.BUILD, name),),
        secrets=private.secrets,
        index=private.index,
        arguments=arguments,
        namespace=CLI,
        timeout=seconds,
        cache=cache,
    )


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
