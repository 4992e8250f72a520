"""`s2i app`: the applications of a project."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from s2i.cli.group import Group
from s2i.cli.nouns import delete_options, delete_thing, log_options, path, project_option
from s2i.cli.output import emit, output_option, safe, table, when
from s2i.resources.names import project_words

if TYPE_CHECKING:
    from s2i.cli.client import Client


@click.group(cls=Group)
def app() -> None:
    """Applications: code that answers HTTP.

    \b
    Example:  s2i app list
    """


@app.command("list")
@project_option
@output_option
def list_(project: str, output: str | None) -> None:
    """List the apps of a project.

    \b
    Example:  s2i app list -o json
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/apps")
    if output:
        emit(found, output)
        return
    if not found:
        click.echo(f"no apps in the project {project}", err=True)
        return
    rows = [(one["name"], one["status"], one["revision"] or "", one["url"], one["source"]) for one in found]
    table(("name", "status", "revision", "url", "source"), rows)


@app.command()
@click.argument("name")
@project_option
@output_option
def get(name: str, project: str, output: str | None) -> None:
    """Show one app, its revisions and what happened to it.

    \b
    Example:  s2i app get shop
    """
    from s2i.cli.client import connect

    at = path(project, "apps", name)
    found = connect().call("GET", at)
    if output:
        emit(found, output)
        return
    for field in ("name", "project", "status", "url", "source", "commit", "image"):
        if found[field]:
            click.echo(f"{field:<10}{safe(found[field])}")
    _show_reason(found)
    rows = [(one["number"], one["status"], when(one["created"]), one["image"][:19]) for one in found["revisions"]]
    click.echo()
    table(("revision", "status", "created", "image"), rows)
    click.echo()
    lines = [(when(one["at"]), one["what"], one["text"].split("\n")[0]) for one in found["events"][-10:]]
    table(("time", "event", "about"), lines)


def _followed(client: Client, at: str, tail: int | None) -> Iterator[str]:
    """Yield the log of what serves, and of each revision that takes over from it."""
    number = client.call("GET", at)["revision"]
    while True:
        yield from client.lines(f"{at}/logs", follow=True, tail=tail)
        before, number, tail = number, client.call("GET", at)["revision"], None
        if number == before:
            click.echo("the instance has ended", err=True)
            return
        click.echo(f"revision {number} has taken over", err=True)


def _show_reason(found: dict[str, Any]) -> None:
    """Print why the newest revision does not serve: its number and a sentence, then the end of its log."""
    first, *tail = found["reason"].splitlines() or [""]
    failed = [one["number"] for one in found["revisions"] if one["status"] == "failed"]
    if first:
        whose = f"revision {failed[-1]} failed: " if failed else ""
        click.echo(f"{'reason':<10}{whose}{safe(first)}")
    for line in tail:
        click.echo(f"{'':<10}{safe(line)}")


@app.command()
@click.argument("name")
@project_option
@log_options
def logs(name: str, project: str, follow: bool, tail: int | None) -> None:
    """Print what an app's instance wrote. Control characters are shown, not sent to the terminal.

    \b
    Example:  s2i app logs shop -f --tail 20
    """
    from s2i.cli.client import connect

    at = path(project, "apps", name)
    client = connect()
    silent = True
    for line in _followed(client, at, tail) if follow else client.lines(f"{at}/logs", tail=tail):
        silent = False
        click.echo(safe(line))
    if silent and client.call("GET", at)["reason"]:
        click.echo(f"nothing runs that could have a log: see `s2i app get {name}{project_words(project)}`", err=True)


@app.command()
@delete_options
def delete(name: str, project: str, yes: bool) -> None:
    """Delete an app: its route, containers, images and history.

    \b
    Example:  s2i app delete shop --yes
    """
    delete_thing(path(project, "apps", name), name, f"Delete the app {name} of the project {project}?", yes=yes)
