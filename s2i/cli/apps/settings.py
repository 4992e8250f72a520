"""`s2i app update`: how requests come to an app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option
from s2i.errors import E_VALUE
from s2i.resources.config import parse_size

F = TypeVar("F", bound=Callable[..., Any])

ROUTING = ("request_timeout", "visibility", "body_limit", "h2c")


def routing_options(command: F) -> F:
    """Add the options of how requests come to an app, as the parameters ROUTING."""
    options = (
        click.option("--request-timeout", type=float, metavar="SECONDS", help="Begin to answer within [default: 300]."),
        click.option(
            "--visibility",
            type=click.Choice(["public", "project", "private"]),
            help="Who may ask: everybody, containers of the project, nobody [default: public].",
        ),
        click.option("--body-limit", metavar="SIZE", help="The largest body of a request, as 10M; 0: no limit."),
        click.option(
            "--h2c/--http1", default=None, help="Speak HTTP/2 without TLS to it, or HTTP/1.1 [default: http1]."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def routing_asked(given: dict[str, Any]) -> dict[str, Any]:
    """Return the changes that the parameters of ``routing_options`` ask for, as the API takes them. Raises E_VALUE."""
    asked = {key: given[key] for key in ROUTING if given.get(key) is not None}
    if "body_limit" in asked:
        asked["body_limit"] = parse_size(asked["body_limit"], "body-limit")
    return asked


@click.command()
@click.argument("name")
@routing_options
@project_option
@output_option
def update(name: str, project: str, output: str | None, **given: Any) -> None:
    """Change how requests come to an app. It holds at once, and makes no new revision.

    The router takes over the new settings as a whole: of the requests that are under way at that moment, few may fail.

    \b
    Example:  s2i app update shop --request-timeout 60 --visibility project
    """
    from s2i.cli.client import connect

    wanted = routing_asked(given)
    if not wanted:
        why = "no option says what to change: --request-timeout 60"
        raise E_VALUE(what="update", value=name, why=why, command="app update")
    found = connect().call("PATCH", f"{path(project, 'apps', name)}/routing", wanted)
    if output:
        emit(found, output)
    else:
        click.echo(f"{name}: {routing_words(found['routing'])}")


def routing_words(of: dict[str, Any]) -> str:
    """Return the settings in words: "public, http1, 300 s to begin an answer"."""
    limit = f", bodies up to {of['body_limit']} bytes" if of["body_limit"] else ""
    return (
        f"{of['visibility']}, {'h2c' if of['h2c'] else 'http1'}, {of['request_timeout']:g} s to begin an answer{limit}"
    )
