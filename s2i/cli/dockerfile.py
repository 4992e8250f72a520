"""`s2i dockerfile SRC`: the Dockerfile that would be built."""

from __future__ import annotations

import click

from s2i.cli.plan import planned, source_options
from s2i.cli.private import asked, private_options
from s2i.errors import E_VALUE


@click.command()
@private_options
@source_options
def dockerfile(
    src: str, commit: str, context_dir: str, strategy: str, secret: tuple[str, ...], index_url: str, netrc: str
) -> None:
    """Print the Dockerfile that would be built from SRC. Of a secret it holds the place, never the value.

    \b
    Example:  s2i dockerfile ./src > Dockerfile
              s2i dockerfile ./src --index-url https://pypi.example.com/simple
    """
    private = asked(secret, index_url, netrc)
    made = planned(src, commit, context_dir, strategy)
    if made.dockerfile:
        why = f"its own {made.dockerfile} is what is built, as it stands"
        raise E_VALUE(what="SRC", value=src, why=why, command="dockerfile")
    from s2i.images.dockerfile import render  # here: jinja2 is for rendering only
    from s2i.images.private.mounts import mounted

    click.echo(render(mounted(made, private.index, tuple(each.id for each in private.secrets))), nl=False)
