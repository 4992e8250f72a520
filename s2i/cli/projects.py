"""`s2i project`: projects, what each may have, and which one commands look in."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from s2i.cli import selection
from s2i.cli.confirm import confirm
from s2i.cli.group import Group
from s2i.cli.members import member
from s2i.cli.output import emit, output_option, table, when
from s2i.errors import E_PROJECT_DELETED, E_PROJECT_USED, E_VALUE, S2IError
from s2i.resources.config import parse_cpu, parse_memory
from s2i.resources.names import project_name
from s2i.resources.project import BYTES, BYTES_MOST, COUNT_MOST, CPU_MOST, DEFAULT, FIELDS, shown, written

F = TypeVar("F", bound=Callable[..., Any])

DELETE_SECONDS = 300.0
OFF = ("0", "none")
LIMITS = {
    "cpu": ("CORES", "CPUs of all containers of its apps and tasks, as 4."),
    "memory": ("SIZE", "Memory of all these, as 8G."),
    "instances": ("N", "How many these may be."),
    "apps": ("N", "Its apps."),
    "jobs": ("N", "Its jobs."),
    "runs": ("N", "Job runs that have not ended."),
    "builds": ("N", "Builds of its sources at once; the others wait."),
    "images": ("SIZE", "Disk of the images that were built, as 20G."),
    "volumes": ("N", "Its volumes."),
}


def _limit_options(command: F) -> F:
    for field, (metavar, about) in reversed(LIMITS.items()):
        command = click.option(f"--limit-{field}", metavar=metavar, help=f"{about} 0 or none: no limit.")(command)
    return command


egress_option = click.option(
    "--egress",
    type=click.Choice(["all", "none"]),
    help="What its containers reach beyond their network: none: only the router's open port [default: all].",
)


@click.group(cls=Group)
def project() -> None:
    """Projects: names, networks, secrets and limits of their own. One comes to be by its first use, too.

    \b
    Example:  s2i project create shop --limit-cpu 4 --limit-memory 8G
              s2i project select shop
    """


project.add_command(member)


@project.command()
@click.argument("name")
@_limit_options
@egress_option
@output_option
def create(name: str, output: str | None, egress: str | None, **given: Any) -> None:
    """Make a project, with limits or without. Apps count by what they come to at max-scale.

    \b
    Example:  s2i project create shop --limit-cpu 4 --limit-memory 8G --limit-instances 20
    """
    from s2i.cli.client import connect

    body = {"name": project_name(name), "limits": _limits(given), **({"egress": egress} if egress else {})}
    found = connect().call("POST", "/v1/projects", body)
    emit(found, output) if output else click.echo(f"project {name}: {_settings(found)}")


@project.command("list")
@click.option("--deleted", is_flag=True, help="Those that are deleted, and how long each can be restored.")
@output_option
def list_(deleted: bool, output: str | None) -> None:
    """List the projects, and what is in each.

    \b
    Example:  s2i project list
              s2i project list --deleted
    """
    from s2i.cli.client import connect

    if deleted:
        gone = connect().call("GET", "/v1/projects?deleted=true")
        if output:
            emit(gone, output)
        elif not gone:
            click.echo("no deleted projects", err=True)
        else:
            ends = [(one["name"], when(one["deleted"]), when(one["until"]), ", ".join(one["holds"])) for one in gone]
            table(("name", "deleted", "kept until", "holds"), ends)
        return
    found, now = connect().call("GET", "/v1/projects"), selection.current()[0]
    if output:
        emit(found, output)
        return
    rows = [
        ("*" if one["name"] == now else " ", one["name"], *_counts(one), _words(one["limits"]), when(one["created"]))
        for one in found
    ]
    table(("", "name", "apps", "jobs", "instances", "limits", "created"), rows)


@project.command()
@click.argument("name")
@output_option
def get(name: str, output: str | None) -> None:
    """Show one project: what it uses, what it may come to with its apps at max-scale, and its limits.

    \b
    Example:  s2i project get shop
    """
    from s2i.cli.client import connect

    found = connect().call("GET", _at(name))
    if output:
        emit(found, output)
        return
    click.echo(f"{'name':<10}{found['name']}")
    if found["created"]:
        click.echo(f"{'created':<10}{when(found['created'])}")
    if found["egress"] != "all":
        click.echo(f"{'egress':<10}{found['egress']}")
    if found["holds"]:
        click.echo(f"{'holds':<10}{', '.join(found['holds'])}")
    click.echo()
    rows = [
        (field, *(written(field, found[what][field]) for what in ("used", "forecast")), _limit(found, field))
        for field in FIELDS
    ]
    table(("what", "used", "at max-scale", "limit"), rows)


@project.command()
@click.argument("name")
def select(name: str) -> None:
    """Have commands look in this project when neither --project nor S2I_PROJECT names one.

    \b
    Example:  s2i project select shop
    """
    from s2i.cli.client import connect

    connect().call("GET", _at(name))
    selection.select(name)
    click.echo(f"selected {name}")
    if other := os.environ.get(selection.VARIABLE):
        click.echo(f"{selection.VARIABLE} is set, and goes before that: {other}", err=True)


@project.command()
@output_option
def current(output: str | None) -> None:
    """Print the project that commands look in, when they do not say which.

    \b
    Example:  s2i project current
    """
    name, origin = selection.current()
    emit({"name": name, "origin": origin}, output) if output else click.echo(name)


@project.command()
@click.argument("name")
@_limit_options
@egress_option
@output_option
def update(name: str, output: str | None, egress: str | None, **given: Any) -> None:
    """Change the limits of a project, or what it reaches. What is not named stays; nothing that runs is ended by it.

    \b
    Example:  s2i project update shop --limit-cpu 8 --limit-apps none
              s2i project update shop --egress none
    """
    from s2i.cli.client import connect

    limits = _limits(given)
    if not (limits or egress):
        why = "no option says what to change: --limit-cpu 8"
        raise E_VALUE(what="update", value=name, why=why, command="project update")
    found = connect().call("PATCH", _at(name), {"limits": limits, **({"egress": egress} if egress else {})})
    emit(found, output) if output else click.echo(f"project {name}: {_settings(found)}")


@project.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also when something is in it: all of that ends, and is kept for 7 days.")
@click.option("--hard", is_flag=True, help="Remove it with all that is in it, at once and for good.")
def delete(name: str, yes: bool, force: bool, hard: bool) -> None:
    """Delete a project. With --force all that is in it ends, and can be restored for 7 days; with --hard it cannot.

    \b
    Example:  s2i project delete shop --force --yes
              s2i project restore shop
    """
    from s2i.cli.client import connect

    at, client = _at(name), connect()
    holds = _holds(client, at, hard=hard)
    if holds and not (force or hard):
        raise E_PROJECT_USED(project=name, what=", ".join(holds))
    if not yes and (hard or name != DEFAULT):  # that is refused anyway
        what = f", with all that is in it: {', '.join(holds)}" if holds else ""
        does = "Empty" if name == DEFAULT else "Remove for good" if hard else "Delete"
        lost = f" {_lost(holds)}" if hard else ""
        confirm(f"{does} the project {name}{what}?{lost}")
    how = "hard" if hard else "force" if force else "unused"
    found = client.call("DELETE", f"{at}/{how}", timeout=DELETE_SECONDS)
    click.echo(f"{'emptied' if name == DEFAULT else 'deleted'} {name}")
    if until := found.get("until"):
        click.echo(f"`s2i project restore {name}` brings it back, until {when(until)}", err=True)
    if name != DEFAULT and selection.selected() == name:
        selection.select("")
        click.echo(f"commands look in {DEFAULT} from now on", err=True)


@project.command()
@click.argument("name")
@output_option
def restore(name: str, output: str | None) -> None:
    """Bring back a project that was deleted, within 7 days: its apps and schedules run again.

    \b
    Example:  s2i project restore shop
    """
    from s2i.cli.client import connect

    found = connect().call("POST", f"{_at(name)}/restore")
    if output:
        emit(found, output)
        return
    click.echo(f"restored {name}")
    for app in found["lost"]:
        click.echo(f"app {app}: its image is gone, deploy it again", err=True)


def _holds(client: Any, at: str, *, hard: bool) -> list[str]:
    """Return what is in a project; of one that is deleted already nothing is said, with ``hard``."""
    try:
        found: list[str] = client.call("GET", at)["holds"]
    except S2IError as error:
        if error.kind is not E_PROJECT_DELETED or not hard:
            raise
        return []
    return found


def _lost(holds: list[str]) -> str:
    """Return what goes with a project that nothing brings back, "" for nothing."""
    volumes = [one.removeprefix("volume ") for one in holds if one.startswith("volume ")]
    return f"What is in {', '.join(volumes)} is lost." if volumes else ""


def _at(name: str) -> str:
    """Return the API's path of a project. Raises E_NAME."""
    return f"/v1/projects/{project_name(name)}"


def _limits(given: dict[str, Any]) -> dict[str, float | int]:
    """Return the limits that options name, 0 for none. Raises E_LIMIT, E_VALUE."""
    found: dict[str, float | int] = {}
    for field in LIMITS:
        text = given.get(f"limit_{field}")
        if text is None:
            continue
        what = f"--limit-{field}"
        if text.lower() in OFF:
            found[field] = 0
        elif field == "cpu":
            found[field] = parse_cpu(text, CPU_MOST, what)
        elif field in BYTES:
            found[field] = parse_memory(text, BYTES_MOST, what)
        else:
            found[field] = _number(text, what)
    return found


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(COUNT_MOST)) and int(text) <= COUNT_MOST):
        why = f"it is no number from 0 to {COUNT_MOST}, and not none"
        raise E_VALUE(what=what, value=text, why=why, command="project update")
    return int(text)


def _counts(one: dict[str, Any]) -> tuple[int, int, int]:
    used = one["used"]
    return used["apps"], used["jobs"], used["instances"]


def _words(limits: dict[str, Any]) -> str:
    return ", ".join(shown(field, limits[field]) for field in FIELDS if limits[field]) or "no limits"


def _settings(found: dict[str, Any]) -> str:
    closed = ", egress none" if found["egress"] == "none" else ""
    return f"{_words(found['limits'])}{closed}"


def _limit(found: dict[str, Any], field: str) -> str:
    value = found["limits"][field]
    return written(field, value) if value else "none"
