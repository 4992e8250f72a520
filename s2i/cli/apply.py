"""`s2i apply`: have the apps of a file be as it declares them."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import click

from s2i import sources
from s2i.cli.nouns import project_option
from s2i.cli.output import output_option
from s2i.cli.progress import progress_option
from s2i.errors import E_DECLARED
from s2i.resources.declared import Declared, parse

FILE_LIMIT = 1 << 20  # bytes


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("-f", "--file", default="s2i.toml", show_default=True, help="Where the apps are declared.")
@click.option("--wait/--no-wait", default=True, help="Wait until each serves [default: wait].")
@click.option("--dry-run", is_flag=True, help="Say what would be otherwise, and change nothing.")
@project_option
@progress_option
@output_option
def apply(
    names: tuple[str, ...], file: str, wait: bool, dry_run: bool, project: str, progress: str, output: str | None
) -> None:
    """Make the apps of a file, or change them, until they are as it declares; each NAME, or all of them.

    What a table does not name has its default. An app whose image and settings are so already is left alone, and
    one that the file does not declare stays.

    \b
    Example:  s2i apply -f s2i.toml --dry-run
    """
    from s2i.cli.deploying import deployed
    from s2i.cli.dryrun import would

    declared = {one.name: one for one in parse(_read(file), file)}
    if unknown := [name for name in names if name not in declared]:
        raise E_DECLARED(why=f"it declares no app {unknown[0]}, only {', '.join(declared)}", where=file)
    for name in names or declared:
        one = declared[name]
        if dry_run:
            would(project, name, one.change, f"built from {one.source}" if one.source else one.image, output)
            continue
        if len(names or declared) > 1 and not output:
            click.echo(click.style(name, bold=True), err=True)
        deployed(project, _body(one, file), (), wait=wait, progress=progress, output=output)


def _read(file: str) -> str:
    path = Path(file)
    try:
        # Neither a pipe that nobody writes to nor a device without an end is waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise E_DECLARED(why="it is no regular file", where=file)
            data = opened.read(FILE_LIMIT + 1)
        text = data.decode()
    except OSError as error:
        advice = "name the file with -f, or go to its folder"
        raise E_DECLARED(why=f"it cannot be read: {error.strerror}", where=file, advice=advice) from None
    except UnicodeDecodeError:
        raise E_DECLARED(why="it is not UTF-8", where=file) from None
    if len(data) > FILE_LIMIT:
        raise E_DECLARED(why="it has more than 1 MB", where=file)
    return text


def _body(one: Declared, file: str) -> dict[str, Any]:
    """Return what the API is asked for."""
    body: dict[str, Any] = {"name": one.name, "image": one.image, "change": one.change, "unless_same": True}
    if one.source:
        source = sources.parse(_seen_from(file, one.source))
        if isinstance(source, sources.Folder):
            source = sources.Folder(os.path.abspath(source.path), source.subdir)  # noqa: PTH100 a link stays a link
        body |= {"source": source, "strategy": one.strategy, "git_allow": os.environ.get(sources.ALLOW, "")}
    return body


def _seen_from(file: str, source: str) -> str:
    return source if "://" in source or source.startswith("git@") else str(Path(file).parent / source)
