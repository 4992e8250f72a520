"""`s2i app`: the applications of a project."""

from __future__ import annotations

import click

from s2i.cli.apps import change, create, diff, logs, look, rollout, stats
from s2i.cli.binding import bind_app, unbind_app
from s2i.cli.group import Group


@click.group(cls=Group)
def app() -> None:
    """Applications: code that answers HTTP.

    \b
    Example:  s2i app list
    """


for command in (
    create.create,
    look.list_,
    look.get,
    look.revisions,
    diff.diff,
    logs.logs,
    look.events,
    look.scale_log,
    stats.stats,
    change.scale,
    create.update,
    bind_app,
    unbind_app,
    change.traffic,
    change.stop,
    change.start,
    rollout.restart,
    rollout.rollback,
    change.delete,
):
    app.add_command(command)
