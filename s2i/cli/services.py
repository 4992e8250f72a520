"""`s2i service`: databases for the apps of a project."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from s2i.cli.confirm import confirm
from s2i.cli.group import Group
from s2i.cli.nouns import delete_options, log_options, path, project_option
from s2i.cli.output import emit, output_option, safe, size, table, when
from s2i.errors import E_DUMP, E_SERVICE_SILENT
from s2i.resources.config import parse_cpu, parse_memory
from s2i.resources.service import ServiceKind, service_name

if TYPE_CHECKING:
    from s2i.cli.client import Client

MAKE_SECONDS = 900.0  # its image may have to be made
WAIT_SECONDS, POLL_SECONDS = 60.0, 0.2
SHOWN = 10  # lines of a log


@click.group(cls=Group)
def service() -> None:
    """Services: databases for the apps of a project, which reach them by their name.

    \b
    Example:  s2i service create postgres db
              s2i app bind shop db
    """


@service.command()
@click.argument("kind", type=click.Choice(list(get_args(ServiceKind))))
@click.argument("name")
@click.option("--memory", metavar="SIZE", help="The most that its container may use [default: 256M].")
@click.option("--cpu", metavar="CORES", help="The most that its container may use [default: 1].")
@click.option("--wait/--no-wait", default=True, help="Wait until it answers [default: wait].")
@project_option
@output_option
def create(
    kind: str, name: str, memory: str | None, cpu: str | None, wait: bool, project: str, output: str | None
) -> None:
    """Make a service, with a password that nobody needs to know and a volume of its name.

    Its image is made from Debian's packages when it is not there, once for all services of its kind.

    \b
    Example:  s2i service create postgres db --memory 512M
    """
    from s2i.cli.client import connect

    client, body = connect(), {"name": service_name(name), "kind": kind}
    more: dict[str, float] = {"memory": parse_memory(memory)} if memory else {}
    more |= {"cpu": parse_cpu(cpu)} if cpu else {}
    found = client.call("POST", f"/v1/projects/{project}/services", {**body, **more}, timeout=MAKE_SECONDS)
    if wait:
        found = _waited(client, project, name)
    if output:
        emit(found, output)
        return
    click.echo(f"{kind} {name}: {found['host']}:{found['port']} for the apps of the project {project}")
    click.echo(f"`s2i app bind APP {name}` tells an app how to reach it", err=True)


@service.command("list")
@project_option
@output_option
def list_(project: str, output: str | None) -> None:
    """List the services of a project, and who is bound to them.

    \b
    Example:  s2i service list
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/services")
    if output:
        emit(found, output)
    elif not found:
        click.echo(f"no services in the project {project}", err=True)
    else:
        rows = [
            (one["name"], one["kind"], _status(one), ", ".join(one["users"]), when(one["created"])) for one in found
        ]
        table(("name", "kind", "status", "bound to", "created"), rows)


@service.command()
@click.argument("name")
@project_option
@output_option
def get(name: str, project: str, output: str | None) -> None:
    """Show one service. Its credentials are in its secret: `s2i secret get --decode` shows them.

    \b
    Example:  s2i service get db
    """
    from s2i.cli.client import connect

    found = connect().call("GET", _at(project, name))
    if output:
        emit(found, output)
        return
    rows = {
        "name": name,
        "project": project,
        "kind": found["kind"],
        "status": _status(found),
        "address": f"{found['host']}:{found['port']}",
        "secret": found["secret"],
        "volume": found["volume"],
        "bound to": ", ".join(found["users"]),
        "created": when(found["created"]),
    }
    for field, value in rows.items():
        if value:
            click.echo(f"{field:<10}{value}")


@service.command()
@click.argument("name")
@project_option
@log_options
def logs(name: str, project: str, follow: bool, tail: int | None) -> None:
    """Print what a service wrote, since it was made.

    \b
    Example:  s2i service logs db --tail 20
    """
    from s2i.cli.client import connect

    client = connect()
    for line in _lines(client, project, client.call("GET", _at(project, name))["run"], follow=follow, tail=tail):
        click.echo(safe(line))


@service.command()
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@project_option
@click.option("--force", is_flag=True, help="Replace a file of that name.")
def backup(name: str, file: Path, project: str, force: bool) -> None:
    """Write what is in a service to FILE, while it runs: a dump of PostgreSQL (custom format), or of Redis (RDB).

    \b
    Example:  s2i service backup db db.dump
    """
    from s2i.cli.client import connect

    if file.exists() and not force:
        raise E_DUMP(name=name, done="backed up", why=f"{file} is there already", advice="--force replaces it")
    if not file.absolute().parent.is_dir():
        why = f"there is no folder {file.parent}"
        raise E_DUMP(name=name, done="backed up", why=why, advice="make the folder first, or name another file")
    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            for piece in connect().pieces(f"{_at(project, name)}/backup"):
                target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    click.echo(f"{file}: {size(file.stat().st_size)}")


@service.command()
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def restore(name: str, file: Path, project: str, yes: bool) -> None:
    """Put what FILE holds in the place of what is in a service. A file that is torn or no backup changes nothing.

    \b
    Example:  s2i service restore db db.dump
    """
    from s2i.cli.client import connect

    client, at = connect(), _at(project, name)
    client.call("GET", at)
    if not yes:
        confirm(f"Put {file} in the place of what is in the service {name} of the project {project}?")
    with file.open("rb") as opened:
        client.send(f"{at}/restore", opened, file.stat().st_size, "application/octet-stream", MAKE_SECONDS)
    click.echo(f"restored {name}")


@service.command()
@delete_options
@click.option("--keep-volume", is_flag=True, help="Leave its volume: a service of that name takes it over.")
def delete(name: str, project: str, yes: bool, keep_volume: bool) -> None:
    """Delete a service that nobody is bound to, with its password and, unless that is to stay, all of its data.

    \b
    Example:  s2i service delete db --keep-volume --yes
    """
    from s2i.cli.client import connect

    client, at = connect(), _at(project, name)
    client.call("GET", at)
    if not yes:
        what = "its data stays" if keep_volume else "with all of its data"
        confirm(f"Delete the service {name} of the project {project}, {what}?")
    client.call("DELETE", f"{at}/{'keep-volume' if keep_volume else 'all'}")
    click.echo(f"deleted {name}")


def _at(project: str, name: str) -> str:
    return path(project, "services", name)


def _waited(client: Client, project: str, name: str) -> dict[str, Any]:
    """Return a service that answers. Raises E_SERVICE_SILENT with the last lines that it wrote."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        found: dict[str, Any] = client.call("GET", _at(project, name))
        if found["answers"]:
            return found
        if time.monotonic() > until:
            log = tuple(_lines(client, project, found["run"], tail=SHOWN))
            why = found["reason"] or found["status"]
            raise E_SERVICE_SILENT(name=name, seconds=f"{WAIT_SECONDS:g}", why=why, log=log)
        time.sleep(POLL_SECONDS)


def _lines(client: Client, project: str, run: str, **query: object) -> Iterator[str]:
    lines = iter(client.lines(f"{path(project, 'jobruns', run)}/logs", **query))
    next(lines)  # the head
    return (json.loads(line)["line"] for line in lines)


def _status(one: dict[str, Any]) -> str:
    if one["answers"]:
        return "answers"
    return f"{one['status']}, {one['reason']}" if one["reason"] else one["status"] or "ended"
