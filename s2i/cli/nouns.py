"""What the nouns have in common: which project, which log lines, where a thing is in the API, how it is deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from s2i.cli.confirm import confirm
from s2i.cli.selection import VARIABLE, checked, current
from s2i.resources.project import DEFAULT

F = TypeVar("F", bound=Callable[..., Any])


def project_option(command: F) -> F:
    """Add ``--project`` to a command, as the checked parameter ``project``."""
    return click.option(
        "--project",
        metavar="NAME",
        envvar=VARIABLE,
        callback=_project,
        help=f"The project [default: ${VARIABLE}, else the selected one, else {DEFAULT}].",
    )(command)


def _project(context: click.Context, option: click.Parameter, value: str | None) -> str:
    if value is None:
        return current()[0]
    said = option.name and context.get_parameter_source(option.name)
    return checked(value, VARIABLE if said is click.core.ParameterSource.ENVIRONMENT else "")


def log_options(command: F) -> F:
    """Add ``-f`` and ``--tail`` to a command, as ``follow`` and ``tail``."""
    command = click.option("--tail", type=click.IntRange(0, 1_000_000), help="Only the last so many lines.")(command)
    return click.option("-f", "--follow", is_flag=True, help="Go on printing what comes.")(command)


def delete_options(command: F) -> F:
    """Add NAME, ``--project`` and ``--yes`` to a command, as ``name``, ``project`` and ``yes``."""
    command = click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)
    return click.argument("name")(project_option(command))


def delete_thing(at: str, name: str, question: str, *, yes: bool) -> None:
    """Delete what is at ``at`` in the API when it is there, and when the ``question`` is answered or not asked."""
    from s2i.cli.client import connect

    client = connect()
    client.call("GET", at)
    if not yes:
        confirm(question)
    client.call("DELETE", at)
    click.echo(f"deleted {name}")


def path(project: str, kind: str, name: str) -> str:
    """Return the API's path of one thing. Raises E_NAME, so that a name cannot lead anywhere else."""
    from s2i.resources.names import thing_name

    return f"/v1/projects/{project}/{kind}/{thing_name(kind.removesuffix('s'), name)}"
