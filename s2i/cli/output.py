"""What commands print: tables for people, JSON or YAML for programs, foreign lines made safe for a terminal."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from s2i.errors import escape

LINE_LIMIT = 16 << 10  # characters of a log line that are shown

F = TypeVar("F", bound=Callable[..., Any])


def output_option(command: F) -> F:
    """Add ``-o json|yaml`` to a command, as the parameter ``output``."""
    choice = click.Choice(["json", "yaml"])
    return click.option("-o", "--output", type=choice, help="Print data instead of text.")(command)


def emit(data: object, output: str) -> None:
    """Print ``data`` (structs, dicts, lists) as "json" or "yaml"."""
    if output == "yaml":
        import msgspec

        click.echo("\n".join(_yaml(msgspec.to_builtins(data))))
    else:
        click.echo(as_json(data, indent=2))


def as_json(data: object, indent: int | None = None) -> str:
    """Return ``data`` as JSON that cannot steer a terminal (THREATS T37): printable ASCII, escaped where it is not."""
    import json

    import msgspec

    return json.dumps(msgspec.to_builtins(data), indent=indent).replace("\x7f", "\\u007f")


def json_line(line: str) -> str:
    """Return a line of JSON that a server or a log holds, as ``as_json`` would write it."""
    import json

    return line if line.isascii() and line.isprintable() else as_json(json.loads(line))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print aligned columns under upper-case heads."""
    cells = [[name.upper() for name in head], *([safe(str(cell)) or "-" for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def safe(line: str) -> str:
    """Return a line of foreign text that cannot steer a terminal (THREATS T37); tabs are kept."""
    return "\t".join(escape(part, LINE_LIMIT) for part in line.split("\t"))


def when(epoch: float) -> str:
    """Return a time for people, in their time zone; "" for 0."""
    if not epoch:
        return ""
    return datetime.datetime.fromtimestamp(epoch).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def size(count: int) -> str:
    """Return a number of bytes for people: ``68 MB``, ``1.2 kB``."""
    for unit, step in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= step:
            return f"{count / step:.{0 if count >= 10 * step else 1}f} {unit}"
    return f"{count} B"


def count(number: int, what: str) -> str:
    """Return a number of things: ``1 app``, ``2 apps``."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _yaml(value: object) -> Iterable[str]:
    """Yield YAML lines: block style for containers, JSON (which YAML includes) for scalars."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _entry(f"{_scalar(key)}:", inner)
    elif isinstance(value, list) and value:
        for inner in value:
            yield from _entry("-", inner)
    else:
        yield _scalar(value)


def _entry(lead: str, inner: object) -> Iterable[str]:
    lines = list(_yaml(inner))
    if isinstance(inner, dict | list) and inner:
        if lead == "-":
            yield f"- {lines[0]}"
            yield from (f"  {line}" for line in lines[1:])
        else:
            yield lead
            yield from (f"  {line}" for line in lines)
    else:
        yield f"{lead} {lines[0]}"


def _scalar(value: object) -> str:
    import re

    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_./-]*", value) and value.lower() not in _WORDS:
        return value
    return as_json(value)


_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
