"""`s2i job create|update`: a job from a source or an image, and other settings for one that is there."""

from __future__ import annotations

from typing import Any, Literal

import click

from s2i.cli import asked
from s2i.cli.deploying import deployed
from s2i.cli.jobs.options import execution_of, execution_options, keep_of, keep_options
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
        click.option("--wait/--no-wait", default=True, help="Wait until it is built [default: wait]."),
        asked.build_options,
        keep_options,
        execution_options,
        asked.process_options,
        project_option,
        click.option("--image", default="", metavar="IMAGE", help="Run this image, here or in a registry."),
        click.option("--source", default="", metavar="SRC", help="The same as SRC."),
        click.argument("src", required=False),
        click.argument("name"),
    ):
        command = each(command)
    return command


@click.command()
@_options
def create(**given: Any) -> None:
    """Make a job from SRC or an image. It does not run yet: `s2i jobrun submit NAME` runs it.

    SRC is a folder or a Git URL, as for `s2i deploy`. A job of that name must not be there.

    \b
    Example:  s2i job create report ./src --retrylimit 2 --memory 1G
              s2i job create clean --image registry.example.com/tools:1.2 --command "clean --all"
    """
    if not (given["src"] or given["source"] or given["image"]):
        raise click.UsageError("name a source or an image: `s2i job create NAME ./src` or `--image IMAGE`")
    _asked("new", **given)


@click.command()
@_options
def update(**given: Any) -> None:
    """Change a job: its settings, its source or image. What is not named stays. Runs that go on keep what they have.

    \b
    Example:  s2i job update report --memory 2G --retrylimit 5
    """
    _asked("there", **given)


def _asked(
    expect: Literal["new", "there"],
    *,
    name: str,
    src: str | None,
    source: str,
    image: str,
    project: str,
    wait: bool,
    progress: str,
    output: str | None,
    **given: Any,
) -> None:
    src = src or source
    if src and image:
        raise click.UsageError("a source and an image: name one of them")
    change, execution, keep = asked.change_of(given), execution_of(given), keep_of(given)
    if src or image:
        body, notices = asked.build_of(given) if src else ({}, ())
        body |= {"source": asked.source_of(src, given) if src else None, "image": image, "name": app_name(name)}
        body |= {"change": change, "expect": expect, "kind": "job", "submit": False}
        body |= {"execution": execution, "keep": keep}
        deployed(project, body, notices, wait=wait, progress=progress, output=output)
        if wait and not output:
            click.echo(f"job {name}: `s2i jobrun submit {name}` runs it")
        return
    if change == Change() and not (execution or keep):
        why = "no option says what to change: --memory 1G"
        raise E_VALUE(what="update", value=name, why=why, command="job update")
    from s2i.cli.client import connect

    body = {"change": change, "execution": execution, "keep": keep}
    at = path(project, "jobs", name)
    found = connect().call("PATCH", f"{at}/settings", body)
    if output:
        emit(told(found), output)
        return
    env = {f"env {key}": value for key, value in change.env} | {f"env {key}": "gone" for key in change.env_rm}
    said = {**change.config, **execution, **keep}
    words = [f"{option(key)} {shown(key, value, looks_secret)}" for key, value in said.items()] + [*env]
    click.echo(f"{name}: " + ", ".join(words))
