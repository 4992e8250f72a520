"""`s2i build SRC`: an image."""

from __future__ import annotations

import os

import click

from s2i import sources
from s2i.cli.output import emit, output_option
from s2i.cli.plan import source_options
from s2i.errors import E_LIMIT


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
    output: str,
) -> None:
    """Build an image from SRC and print its id. Progress goes to standard error.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo.

    \b
    Example:  s2i build ./src -t shop:1.2
    """
    from s2i.cli.progress import Progress
    from s2i.engines.docker import connection
    from s2i.images import bases
    from s2i.images import build as images
    from s2i.planning.compile import compile as compile_plan
    from s2i.resources import labels, names
    from s2i.sources.commit import with_commit

    seconds = _seconds(timeout)
    checked = [images.check_tag(tag) for tag in tags]
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    connection.client()  # says so at once when there is no engine, not after a clone
    with Progress() as progress, sources.fetch(source, policy=sources.Policy.of(os.environ)) as tree:
        tree = with_commit(tree)
        plan = compile_plan(tree, bases.refresh(), strategy)
        progress.plan(plan)
        name = names.suggest(_title(source))
        image = images.build(
            tree,
            plan,
            title=name,
            tags=checked or [f"s2i/{name}:latest"],
            labels={labels.BUILD: name},
            on_event=progress.step,
            timeout=seconds,
            cache=not no_cache,
        )
        progress.built(image)
    if output == "text":
        click.echo(image.id)
    else:
        warnings = [{"code": one.code, "message": one.message, "where": one.where} for one in plan.warnings]
        emit({"image": image.id, "digest": image.digest, "size": image.size, "seconds": image.seconds,
              "tags": image.tags, "steps": image.steps, "warnings": warnings}, output)  # fmt: skip


def _title(source: sources.Source) -> str:
    """Return what a person calls the source: the last part of its path or URL."""
    place = os.path.realpath(source.path) if isinstance(source, sources.Folder) else source.url
    return (source.subdir or place).rstrip("/").rpartition("/")[2].rpartition(":")[2]


def _seconds(text: str) -> float:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 86400 or len(text) > 5:
        raise E_LIMIT(what="timeout", value=text, why="it is not a number of seconds", least="1", most="86400")
    return float(text)
