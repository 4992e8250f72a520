"""`s2i job list|get|events|delete`: the jobs of a project."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from s2i.cli.eventlist import show_events
from s2i.cli.masked import told
from s2i.cli.nouns import delete_options, delete_thing, path, project_option
from s2i.cli.output import count, emit, output_option, safe, table, when
from s2i.resources.app import Config
from s2i.resources.service import bound


@click.command("list")
@project_option
@output_option
def list_(project: str, output: str | None) -> None:
    """List the jobs of a project: what each is made from, its schedule, its newest run.

    \b
    Example:  s2i job list -o json
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/jobs")
    if output:
        emit(told(found), output)
        return
    if not found:
        click.echo(f"no jobs in the project {project}", err=True)
        return
    rows = [
        (
            one["name"],
            one["source"] or one["image"][:19],
            one["execution"]["mode"] if one["execution"]["mode"] == "daemon" else _schedule(one),
            f"{one['last']} {one['last_status']}",
        )
        for one in found
    ]
    table(("name", "source", "runs", "newest run"), rows)


@click.command()
@click.argument("name")
@project_option
@output_option
def get(name: str, project: str, output: str | None) -> None:
    """Show one job: its settings, its schedule, its last events.

    \b
    Example:  s2i job get report
    """
    from s2i.cli.client import connect

    at = path(project, "jobs", name)
    found = connect().call("GET", at)
    if output:
        emit(told(found), output)
        return
    config, execution, keep = found["config"], found["execution"], found["keep"]
    shown = {"name": found["name"], "project": found["project"], "source": found["source"], "commit": found["commit"]}
    shown |= {"image": found["image"], "app": found["app"], "runs": _goes(execution), "with": _config(config)}
    if services := bound(msgspec.convert(config, Config)):
        shown["bound to"] = ", ".join(f"{service} ({variable})" for service, variable in services.items())
    if found["schedule"]:
        shown |= {"schedule": _schedule(found), "next": when(found["next"]) or "never"}
    shown["newest"] = f"{found['last']} {found['last_status']}".strip()
    shown["kept"] = f"{keep['runs']} runs" + (f", {keep['days']:g} days" if keep["days"] else "")
    for field, value in shown.items():
        if value:
            click.echo(f"{field:<10}{safe(value)}")
    if found["events"]:
        click.echo()
        show_events(found["events"][-10:])


@click.command()
@click.argument("name")
@project_option
@output_option
def events(name: str, project: str, output: str | None) -> None:
    """Print what happened to a job, the oldest first: its runs' ends, the ticks that it missed.

    \b
    Example:  s2i job events report
    """
    from s2i.cli.client import connect

    at = path(project, "jobs", name)
    found = connect().call("GET", at)["events"]
    emit(found, output) if output else show_events(found)


@click.command()
@delete_options
def delete(name: str, project: str, yes: bool) -> None:
    """Delete a job with its schedule, its runs, their logs and its image.

    \b
    Example:  s2i job delete report --yes
    """
    question = f"Delete the job {name} of the project {project}, with all its runs?"
    delete_thing(path(project, "jobs", name), name, question, yes=yes)


def _schedule(found: dict[str, Any]) -> str:
    """Return a schedule in words: "30 3 * * * Europe/Berlin"; "" for none."""
    one = found["schedule"]
    if not one:
        return ""
    zone = "" if one["timezone"] == "UTC" else f" {one['timezone']}"
    return f"{one['cron']}{zone}{' (paused)' if one['paused'] else ''}"


def _goes(execution: dict[str, Any]) -> str:
    if execution["mode"] == "daemon":
        return "for ever, started anew whenever it ends"
    limit = f"{execution['max_seconds']:g} s at most" if execution["max_seconds"] else "without a time limit"
    at_once = f", {execution['parallelism']} at once" if execution["parallelism"] else ""
    what = "once" if execution["array"] == "0" else f"for the indices {execution['array']}{at_once}"
    again = f"; what fails is tried {count(execution['retry_limit'], 'time')} more" if execution["retry_limit"] else ""
    return f"{what}, {limit}{again}"


def _config(config: dict[str, Any]) -> str:
    names = ", ".join(key for key, _ in config["env"])
    cores = "1 core" if config["cpu"] == 1 else f"{config['cpu']:g} cores"
    return f"{config['memory'] >> 20}M of memory, {cores}" + (f", {names}" if names else "")
