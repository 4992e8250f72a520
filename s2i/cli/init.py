"""`s2i init [DIR]`: a first s2i.toml, which documents what is decided and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import click

from s2i import sources
from s2i.cli.output import emit
from s2i.errors import E_OVERWRITE, E_VALUE, S2IError, escape
from s2i.planning import settings
from s2i.planning.compile import compile as compile_plan

UNDECIDED = 4  # the exit status of what was not detected, or is ambiguous: a file can help with that


def _print_schema(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        emit(settings.schema(), "json")
        ctx.exit()


@click.command()
@click.option(
    "--schema", is_flag=True, is_eager=True, expose_value=False, callback=_print_schema,
    help="Print the JSON Schema of s2i.toml, and nothing else.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write it anew; what is set stays set, comments are lost.")
@click.argument("folder", default=".", metavar="[DIR]")
def init(folder: str, force: bool) -> None:
    """Write s2i.toml into DIR: every decision as a comment, with what it is for and where it came from.

    It changes nothing until a line is uncommented. When s2i cannot decide, the candidates stand in it.

    \b
    Example:  s2i init ./src
    """
    from s2i.images.bases import offered
    from s2i.planning import initial

    source = sources.parse(folder)
    if not isinstance(source, sources.Folder):
        raise E_VALUE(what="DIR", value=folder, why="a file can only be written into a folder", command="init")
    path = Path(source.path) / settings.FILE
    plan, refusal = None, None
    with sources.fetch(source, policy=sources.Policy.of(os.environ)) as tree:
        if not force:
            _refuse_to_overwrite(path, tree)
        given = settings.read(tree)
        try:
            plan = compile_plan(tree, offered())
        except S2IError as error:
            if error.exit != UNDECIDED:
                raise
            refusal = error
    _write(path, initial.text(plan, given, refusal).encode(), force)
    click.echo(f"wrote {escape(path)}")
    if refusal:
        click.echo(f"s2i cannot decide yet: {refusal}", err=True)


def _refuse_to_overwrite(path: Path, tree: sources.Tree) -> None:
    fix = "edit it, or use --force: what is set stays set, comments are lost"
    if os.path.lexists(path):
        raise E_OVERWRITE(path=path, why="it is there already", fix=fix)
    if settings.read(tree).path == "pyproject.toml":
        why = "[tool.s2i] in pyproject.toml has settings, which it would replace"
        raise E_OVERWRITE(path=path, why=why, fix="edit those, or use --force to take them over")


def _write(path: Path, data: bytes, force: bool) -> None:
    from s2i.cli import planfile

    if path.is_dir():
        raise E_OVERWRITE(path=path, why="it is a folder", fix="move it away")
    if not force and os.path.lexists(path):  # since we looked
        raise E_OVERWRITE(path=path, why="it is there already", fix="run it again")
    planfile.write(path, data)
