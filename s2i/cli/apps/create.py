"""`s2i app create|update`: an app from a source or an image, and other settings for one that is there."""

from __future__ import annotations

from typing import Any, Literal

import click

from s2i.cli import asked
from s2i.cli.deploying import deployed
from s2i.cli.dryrun import would
from s2i.cli.masked import told
from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option
from s2i.cli.progress import progress_option
from s2i.errors import E_VALUE
from s2i.planning.secretnames import looks_secret
from s2i.resources.change import Change, option, shown
from s2i.resources.names import app_name


def _options(command: Any) -> Any:
    for each in (
        output_option,
        progress_option,
        asked.outcome_options,
        asked.build_options,
        asked.routing_options,
        asked.scale_options,
        asked.config_options,
        project_option,
        click.option("--image", default="", metavar="IMAGE", help="Run this image, here or in a registry."),
        click.argument("src", required=False),
        click.argument("name"),
    ):
        command = each(command)
    return command


@click.command()
@_options
def create(**given: Any) -> None:
    """Make an app from SRC or an image. The exit status is 0 when it answers.

    SRC is a folder or a Git URL, as for `s2i deploy`. An app of that name must not be there.

    \b
    Example:  s2i app create shop ./src --env LOG_LEVEL=debug --max-scale 5
              s2i app create hello --image registry.example.com/hello:1.2 --port 8080
    """
    if not given["src"] and not given["image"]:
        raise click.UsageError("name a source or an image: `s2i app create NAME ./src` or `--image IMAGE`")
    _asked("new", **given)


@click.command()
@_options
def update(**given: Any) -> None:
    """Change an app: its settings, its source or image. What is not named stays.

    Another source, image, variable, port, command, or limit of memory and CPU makes a revision, which takes over
    as in `s2i deploy`. The scale and the routing hold at once and make none; the router takes them over as a whole:
    of the requests that are under way at that moment, few may fail.

    \b
    Example:  s2i app update shop --env LOG_LEVEL=info --env-rm DEBUG --memory 1G
              s2i app update shop --request-timeout 60 --visibility project
    """
    _asked("there", **given)


def _asked(
    expect: Literal["new", "there"],
    *,
    name: str,
    src: str | None,
    image: str,
    project: str,
    wait: bool,
    dry_run: bool,
    progress: str,
    output: str | None,
    **given: Any,
) -> None:
    if src and image:
        raise click.UsageError("a source and an image: name one of them")
    change = asked.change_of(given)
    body, notices = asked.build_of(given) if src else ({}, ())
    builds = bool(src or image)
    if not (builds or change != Change()):
        why = "no option says what to change: --memory 1G"
        raise E_VALUE(what="update", value=name, why=why, command="app update")
    if dry_run:
        would(project, app_name(name), change, f"built from {src}" if src else image, output)
    elif builds or change.makes_revision:
        source = asked.source_of(src, given) if src else None
        body |= {"source": source, "image": image, "name": app_name(name), "change": change, "expect": expect}
        body |= {"quiet": given["no_traffic"], "tag": given["tag"], "force": given["force"]}
        deployed(project, body, notices, wait=wait, progress=progress, output=output)
    else:
        _set(path(project, "apps", name), name, change, output)


def _set(at: str, name: str, change: Change, output: str | None) -> None:
    """Have settings changed that make no revision."""
    from s2i.cli.client import connect

    client, found = connect(), {}
    for kind in ("scale", "routing"):
        if fields := getattr(change, kind):
            found = client.call("PATCH", f"{at}/{kind}", fields)
    if output:
        emit(told(found), output)
        return
    said = {**change.scale, **change.routing}
    click.echo(
        f"{name}: " + ", ".join(f"{option(key)} {shown(key, value, looks_secret)}" for key, value in said.items())
    )
