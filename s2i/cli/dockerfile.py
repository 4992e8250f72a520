"""`s2i dockerfile SRC`: the Dockerfile that would be built."""

from __future__ import annotations

import click

from s2i.cli.plan import planned, source_options
from s2i.errors import E_VALUE


@click.command()
@source_options
def dockerfile(src: str, commit: str, context_dir: str, strategy: str) -> None:
    """Print the Dockerfile that would be built from SRC.

    \b
    Example:  s2i dockerfile ./src > Dockerfile
    """
    made = planned(src, commit, context_dir, strategy)
    if made.dockerfile:
        why = f"its own {made.dockerfile} is what is built, as it stands"
        raise E_VALUE(what="SRC", value=src, why=why, command="dockerfile")
    from s2i.images.dockerfile import render  # here: jinja2 is for rendering only

    click.echo(render(made), nl=False)
