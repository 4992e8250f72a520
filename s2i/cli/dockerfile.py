"""`s2i dockerfile SRC`: the Dockerfile that would be built."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import click

from s2i import sources
from s2i.cli.plan import source_options
from s2i.cli.private import asked, private_options
from s2i.errors import E_PYTHON_VERSION, E_VALUE, S2IError
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import BuildPlan

F = TypeVar("F", bound=Callable[..., object])


def base_option(default: str) -> Callable[[F], F]:
    """Add ``--base here|official`` to a command, as the parameter ``base``."""
    text = "Start from the images that a build on this machine would take, or from official ones, for any machine."
    return click.option(
        "--base", type=click.Choice(["here", "official"]), default=default, show_default=True, help=text
    )


def on(base: str, tree: sources.Tree, strategy: str) -> BuildPlan:
    """Return the plan of ``tree`` on the bases of this machine ("here"), or on official ones of the same Python."""
    from s2i.images.bases import offer

    if base == "here":
        return compile_plan(tree, offer.offered(), strategy)
    try:
        made = compile_plan(tree, offer.offered(), strategy)
    except S2IError as refusal:
        if refusal.kind is not E_PYTHON_VERSION:
            raise
        return compile_plan(tree, offer.official(), strategy)
    same = tuple(found for found in offer.official() if found.python == made.python)
    return compile_plan(tree, same, strategy) if made.base else made


@click.command()
@base_option("here")
@private_options
@source_options
def dockerfile(
    src: str,
    commit: str,
    context_dir: str,
    strategy: str,
    base: str,
    secret: tuple[str, ...],
    index_url: str,
    netrc: str,
) -> None:
    """Print the Dockerfile that would be built from SRC. Of a secret it holds the place, never the value.

    \b
    Example:  s2i dockerfile ./src > Dockerfile
              s2i dockerfile ./src --base official
              s2i dockerfile ./src --index-url https://pypi.example.com/simple
    """
    private = asked(secret, index_url, netrc)
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    with sources.fetch(source, policy=sources.Policy.of(os.environ)) as tree:
        made = on(base, tree, strategy)
    if made.dockerfile:
        why = f"its own {made.dockerfile} is what is built, as it stands"
        raise E_VALUE(what="SRC", value=src, why=why, command="dockerfile")
    from s2i.images.dockerfile import render  # here: jinja2 is for rendering only
    from s2i.images.private.mounts import mounted

    click.echo(render(mounted(made, private.index, tuple(each.id for each in private.secrets))), nl=False)
