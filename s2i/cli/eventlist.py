"""Events as lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from s2i.cli.output import safe, when


def show_events(events: Iterable[dict[str, Any]]) -> None:
    """Print events, a line each, and what more a text says below it."""
    for one in events:
        first, *more = one["text"].split("\n")
        click.echo(safe(f"{when(one['at'])}  {one['what']:<11}{first}"))
        for line in more:
            click.echo(safe(f"{'':<22}{line}"))
