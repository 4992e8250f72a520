"""`s2i app logs`: what the instances of an app wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from s2i.cli.loglines import Prefixes
from s2i.cli.nouns import log_options, path, project_option
from s2i.cli.output import json_line, safe
from s2i.cli.selection import words_for

if TYPE_CHECKING:
    from s2i.cli.client import Client


@click.command()
@click.argument("name")
@project_option
@log_options
@click.option("--instance", metavar="R-N", default="", help="Only of this instance: r3-0; r3: of these.")
@click.option("--previous", is_flag=True, help="Of instances that have ended, the last one last.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Print a JSON object a line.")
def logs(
    name: str, project: str, follow: bool, tail: int | None, instance: str, previous: bool, output: str | None
) -> None:
    """Print what the instances of an app wrote, in the order of time.

    Where there are several, or may come others, each line begins with its instance. Followed, it goes on over
    all of them. Control characters are shown, not sent to the terminal.

    \b
    Example:  s2i app logs shop -f --tail 20
              s2i app logs shop --previous --instance r3-0
    """
    from s2i.cli.client import connect

    if follow and previous:
        raise click.UsageError("what has ended cannot be followed: leave out --follow or --previous")
    at = path(project, "apps", name)
    client = connect()
    wish = {"follow": follow, "tail": tail, "instance": instance, "previous": previous}
    lines = iter(client.lines(f"{at}/logs", **wish))
    head = json.loads(next(lines))
    if not head["instances"]:
        click.echo(_why_none(client, at, name, project, head, previous=previous), err=True)
    prefixes = Prefixes() if follow or len(head["instances"]) > 1 else None
    for line in lines:
        if output:
            click.echo(json_line(line))
            continue
        said = json.loads(line)
        click.echo((prefixes.of(said["instance"]) if prefixes else "") + safe(said["line"]))
    if follow:
        click.echo("the app was deleted, or the server stopped", err=True)


def _why_none(client: Client, at: str, name: str, project: str, head: dict[str, Any], *, previous: bool) -> str:
    """Return what to say when there is no instance whose log could be shown, and where else to look."""
    words = f"{name}{words_for(project)}"
    if previous:
        return "no instance of it has ended that wrote anything"
    if head["ended"]:
        return f"none of its instances runs: see what those wrote that ended with `s2i app logs {words} --previous`"
    if client.call("GET", at)["reason"]:
        return f"nothing runs that could have a log: see `s2i app get {words}`"
    return "none of its instances runs"
