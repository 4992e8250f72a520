"""`s2i jobrun list|get|events|delete`: the runs of a project's jobs."""

from __future__ import annotations

from typing import Any

import click

from s2i.cli.eventlist import show_events
from s2i.cli.masked import told
from s2i.cli.nouns import delete_options, delete_thing, path, project_option
from s2i.cli.output import emit, output_option, safe, table, when


@click.command("list")
@click.option("--job", help="Only the runs of this job.")
@project_option
@output_option
def list_(job: str | None, project: str, output: str | None) -> None:
    """List the job runs of a project, newest first.

    \b
    Example:  s2i jobrun list --job report
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/jobruns")
    found = [one for one in found if job is None or one["job"] == job]
    if output:
        emit(told(found), output)
        return
    if not found:
        click.echo(f"no job runs in the project {project}", err=True)
        return
    rows = [(one["name"], one["status"], _done(one), _exit(one), when(one["started"]), _took(one)) for one in found]
    table(("name", "status", "tasks", "exit", "started", "seconds"), rows)


@click.command()
@click.argument("name")
@project_option
@output_option
def get(name: str, project: str, output: str | None) -> None:
    """Show one job run, and each of its indices.

    \b
    Example:  s2i jobrun get report-1
    """
    from s2i.cli.client import connect

    at = path(project, "jobruns", name)
    found = connect().call("GET", at)
    if output:
        emit(told(found), output)
        return
    tasks, execution = found["tasks"], found["execution"]
    shown = {"name": found["name"], "job": found["job"], "status": found["status"], "tasks": _done(found)}
    shown |= {"waits": found["waits"], "exit": _exit(found), "reason": found["reason"], "again": found["again"]}
    shown |= {"tick": when(found["scheduled"]), "started": when(found["started"]), "seconds": _took(found)}
    shown |= {"mode": "daemon" if execution["mode"] == "daemon" else "", "image": found["image"]}
    for field, value in shown.items():
        if value:
            click.echo(f"{field:<10}{safe(value)}")
    if len(tasks) > 1 or any(task["attempts"] > 1 for task in tasks):
        click.echo()
        rows = [(t["index"], t["status"], t["attempts"], _code(t), f"{t['seconds']:.1f}", t["reason"]) for t in tasks]
        table(("index", "status", "attempts", "exit", "seconds", "reason"), rows)


@click.command()
@click.argument("name")
@project_option
@output_option
def events(name: str, project: str, output: str | None) -> None:
    """Print what happened to a job run, the oldest first: its begin, attempts that failed, its end.

    \b
    Example:  s2i jobrun events report-1
    """
    from s2i.cli.client import connect

    at = f"{path(project, 'jobruns', name)}/events"
    found = connect().call("GET", at)
    emit(found, output) if output else show_events(found)


@click.command()
@delete_options
def delete(name: str, project: str, yes: bool) -> None:
    """Delete a job run with its logs; end it when it still runs.

    \b
    Example:  s2i jobrun delete report-1 --yes
    """
    delete_thing(path(project, "jobruns", name), name, f"Delete the job run {name} of the project {project}?", yes=yes)


def _exit(run: dict[str, Any]) -> str:
    return "" if run["exit"] is None else str(run["exit"])


def _code(task: dict[str, Any]) -> str:
    return "" if task["exit"] is None else str(task["exit"])


def _done(run: dict[str, Any]) -> str:
    """Return how many tasks succeeded: "45/50"; "" for a run of before that knows none."""
    counts = run["counts"]
    return f"{counts.get('succeeded', 0)}/{sum(counts.values())}" if counts else ""


def _took(run: dict[str, float]) -> str:
    return f"{run['finished'] - run['started']:.1f}" if run["finished"] and run["started"] else ""
