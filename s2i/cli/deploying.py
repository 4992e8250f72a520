"""Have the server do a deployment, and show it to its end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from s2i import sources
from s2i.cli import remote
from s2i.cli.build import interruptible
from s2i.cli.following import fail, follow, look
from s2i.cli.output import emit, safe
from s2i.cli.progress import shown

if TYPE_CHECKING:
    from s2i.cli.client import Client


def deployed(
    project: str,
    body: dict[str, Any],
    notices: tuple[sources.Notice, ...],
    *,
    wait: bool,
    progress: str,
    output: str | None,
) -> None:
    """Deploy what ``body`` asks for (control.task.Request), and print its URL or what its job wrote.

    Raises what the deployment ends with.
    """
    from s2i.cli.client import connect

    client, display = connect(), shown(progress, output)
    if isinstance(body.get("source"), sources.Folder) and remote.named():
        from s2i.cli.sending import sent

        body["source"], more = sent(client, project, body["source"])
        body.pop("git_allow", None)  # a folder is fetched from nowhere
        notices = (*notices, *more)
    base = f"/v1/projects/{project}/deployments"
    begun = client.call("POST", base, body)
    if not wait:
        with display:
            for notice in notices:
                display.notice(notice)
        emit(begun, output) if output else click.echo(begun["id"])
        click.echo(f"it goes on: `{look(begun, '')}`, or `s2i jobrun list` when it is a job", err=True)
        return
    with interruptible():
        ended = follow(client, f"{base}/{begun['id']}", begun, display, notices)
    if output:
        emit(ended, output)
    elif ended["kind"] == "app" and ended["result"]:
        click.echo(ended["result"])
    if ended["kind"] == "job":
        _job_ended(client, project, ended, show=not output)
    if ended["error"]:
        fail(ended)


def _job_ended(client: Client, project: str, ended: dict[str, Any], *, show: bool) -> None:
    """Print a job run's log, and how it ended."""
    if not ended["result"]:
        return
    run = client.call("GET", f"/v1/projects/{project}/jobruns/{ended['result']}")
    if show:
        lines = iter(client.lines(f"/v1/projects/{project}/jobruns/{run['name']}/logs"))
        next(lines)  # the head
        for line in lines:
            click.echo(safe(json.loads(line)["line"]))
        code = "no exit code" if run["exit"] is None else f"exit code {run['exit']}"
        if run["status"] == "running":
            code = "it runs on, and is started anew whenever it ends"
        # Most reasons are the exit code once more.
        why = "" if run["reason"] in ("", code) else f": {run['reason']}"
        click.echo(safe(f"{run['name']}: {run['status']}, {code}{why}"))
