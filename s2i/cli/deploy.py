"""`s2i deploy SRC`: from a source to a running app and its URL, or to a job run and its end."""

from __future__ import annotations

from typing import Any

import click

from s2i.cli import asked
from s2i.cli.build import title
from s2i.cli.deploying import deployed
from s2i.cli.dryrun import would
from s2i.cli.nouns import project_option
from s2i.cli.output import output_option
from s2i.cli.progress import progress_option
from s2i.resources import names


@click.command()
@click.argument("src")
@click.option("--name", help="Name of the app or job [default: made from SRC].")
@project_option
@asked.config_options
@asked.scale_options
@asked.routing_options
@asked.build_options
@asked.outcome_options
@progress_option
@output_option
def deploy(
    src: str,
    name: str | None,
    project: str,
    wait: bool,
    dry_run: bool,
    progress: str,
    output: str | None,
    **given: Any,
) -> None:
    """Build SRC and run it: an app at a URL, or a job to its end. Starts the server when it does not run.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo. An app that is there
    already is replaced by its new version without a failed request, and keeps the settings that are not
    named here. The exit status is 0 when the app answers, or the job has succeeded.

    \b
    Example:  s2i deploy ./src --name shop --env LOG_LEVEL=debug
    """
    source = asked.source_of(src, given)
    change = asked.change_of(given)
    body, notices = asked.build_of(given)
    body |= {
        "source": source,
        "name": names.app_name(names.suggest(title(source)) if name is None else name),
        "change": change,
        "quiet": given["no_traffic"],
        "tag": given["tag"],
        "force": given["force"],
    }
    if dry_run:
        would(project, body["name"], change, f"built from {src}", output)
    else:
        deployed(project, body, notices, wait=wait, progress=progress, output=output)
