"""`s2i job`: the jobs of a project."""

from __future__ import annotations

import click

from s2i.cli.binding import bind_job, unbind_job
from s2i.cli.group import Group
from s2i.cli.jobs import change, look, schedule


@click.group(cls=Group)
def job() -> None:
    """Jobs: code that runs to its end, once or for each index of an array, now or by a schedule.

    \b
    Example:  s2i job create report ./src --retrylimit 2
              s2i jobrun submit report --array-size 50 --wait
    """


for command in (
    change.create,
    change.update,
    look.list_,
    look.get,
    look.events,
    bind_job,
    unbind_job,
    schedule.schedule,
    look.delete,
):
    job.add_command(command)
