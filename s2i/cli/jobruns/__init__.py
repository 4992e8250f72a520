"""`s2i jobrun`: executions of jobs."""

from __future__ import annotations

import click

from s2i.cli.group import Group
from s2i.cli.jobruns import logs, look, submit


@click.group(cls=Group)
def jobrun() -> None:
    """Job runs: code that ran to its end, or still runs.

    \b
    Example:  s2i jobrun submit report --array-size 50 --wait
              s2i jobrun resubmit report-7 --failed
    """


for command in (
    submit.submit,
    submit.resubmit,
    look.list_,
    look.get,
    logs.logs,
    look.events,
    submit.cancel,
    look.delete,
):
    jobrun.add_command(command)
