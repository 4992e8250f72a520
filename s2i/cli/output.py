"""How data leaves the command line: for people by default, as JSON or YAML with -o."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_F = TypeVar("_F", bound=Callable[..., Any])


def output_option(command: _F) -> _F:
    """Add ``-o json``: the command gets ``output``, "text" or "json"."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or data.",
    )(command)


def emit(data: object, output: str) -> None:
    """Print ``data`` (a msgspec struct, or what JSON has) in the format that was asked for."""
    import msgspec

    encoded = msgspec.json.encode(data)
    click.echo(msgspec.json.format(encoded, indent=2 if output == "json" else 0))
