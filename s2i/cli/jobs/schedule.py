"""`s2i job schedule`: run a job by itself."""

from __future__ import annotations

from typing import Any

import click

from s2i.cli.masked import told
from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option, when
from s2i.errors import E_VALUE


@click.command()
@click.argument("name")
@click.option("--cron", metavar="FIELDS", help="Minute, hour, day, month, day of the week: '30 3 * * 1-5'; or @daily.")
@click.option("--timezone", metavar="ZONE", help="Where these are: Europe/Berlin [default: UTC].")
@click.option(
    "--overlap",
    type=click.Choice(["forbid", "allow", "replace"]),
    help="While the run before goes on: no run, one more, or end that first [default: forbid].",
)
@click.option("--data", metavar="TEXT", help="Give this to each run as $JOB_DATA.")
@click.option("--window", type=float, metavar="SECONDS", help="Make good a tick slept through, once [default: 3600].")
@click.option("--pause", is_flag=True, help="Run it no more until --resume.")
@click.option("--resume", is_flag=True, help="Go on; what was due meanwhile is not made good.")
@click.option("--remove", is_flag=True, help="Take the schedule away.")
@project_option
@output_option
def schedule(
    name: str, project: str, output: str | None, pause: bool, resume: bool, remove: bool, **given: Any
) -> None:
    """Run a job by itself, at the minutes that a cron expression names. What is not named stays as it is.

    When clocks change, a fixed time that is left out is made up for right after, and one that comes twice is taken
    once; every so many minutes goes by the time that passes.

    \b
    Example:  s2i job schedule report --cron '30 3 * * 1-5' --timezone Europe/Berlin
              s2i job schedule report --pause
    """
    from s2i.cli.client import connect

    if pause + resume + remove > 1:
        raise click.UsageError("--pause, --resume and --remove: name one of them")
    at = f"{path(project, 'jobs', name)}/schedule"
    fields = {key: value for key, value in given.items() if value is not None}
    if pause or resume:
        fields["paused"] = pause
    if not fields and not remove:
        why = "no option says when: --cron '30 3 * * *'"
        raise E_VALUE(what="schedule", value=name, why=why, command="job schedule")
    found = connect().call("DELETE", at) if remove else connect().call("PUT", at, fields)
    if output:
        emit(told(found), output)
    elif remove:
        click.echo(f"{name}: no schedule")
    elif found["schedule"]["paused"]:
        click.echo(f"{name}: {found['schedule']['cron']}, paused")
    else:
        one = found["schedule"]
        click.echo(f"{name}: {one['cron']} {one['timezone']}, next at {when(found['next'])}")
