"""`s2i image`: what was built, what is in it, and the end of what nothing needs."""

from __future__ import annotations

import click

from s2i.cli import remote
from s2i.cli.group import Group
from s2i.cli.image.collect import gc
from s2i.cli.image.look import inspect, list_, sbom


@click.group(cls=Group)
def image() -> None:
    """Images: what `s2i build` and `s2i deploy` made.

    IMAGE is a name or an id of an image, the name of an app (what it serves) or NAME@REVISION, or a job's name.

    \b
    Example:  s2i image list
    """
    remote.refuse("`s2i image`")


for _command in (list_, inspect, sbom, gc):
    image.add_command(_command)
