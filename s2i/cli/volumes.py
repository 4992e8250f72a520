"""`s2i volume`: folders that outlive the containers that write to them."""

from __future__ import annotations

from typing import Any

import click

from s2i.cli.group import Group
from s2i.cli.nouns import delete_options, delete_thing, path, project_option
from s2i.cli.output import emit, output_option, size, table, when
from s2i.resources.names import volume_name


@click.group(cls=Group)
def volume() -> None:
    """Volumes: what apps and jobs write there stays, whatever becomes of their containers.

    \b
    Example:  s2i volume create uploads
              s2i app update shop --mount-volume /data=uploads
    """


@volume.command()
@click.argument("name")
@project_option
@output_option
def create(name: str, project: str, output: str | None) -> None:
    """Make a volume, on the disk of the engine.

    \b
    Example:  s2i volume create uploads
    """
    from s2i.cli.client import connect

    found = connect().call("POST", f"/v1/projects/{project}/volumes", {"name": volume_name(name)})
    emit(found, output) if output else click.echo(f"volume {name}: mount it with --mount-volume DIR={name}")


@volume.command("list")
@click.option("--size", "sized", is_flag=True, help="Count what is in them: it may take seconds.")
@project_option
@output_option
def list_(project: str, sized: bool, output: str | None) -> None:
    """List the volumes of a project, and who mounts them.

    \b
    Example:  s2i volume list --size
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/volumes?size={str(sized).lower()}")
    if output:
        emit(found, output)
    elif not found:
        click.echo(f"no volumes in the project {project}", err=True)
    else:
        rows = [
            (one["name"], *((_size(one),) if sized else ()), when(one["created"]), ", ".join(one["users"]))
            for one in found
        ]
        table(("name", *(("size",) if sized else ()), "created", "used by"), rows)


@volume.command()
@click.argument("name")
@project_option
@output_option
def get(name: str, project: str, output: str | None) -> None:
    """Show one volume: how much is in it, and who mounts it.

    \b
    Example:  s2i volume get uploads
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"{path(project, 'volumes', name)}?size=true")
    if output:
        emit(found, output)
        return
    rows = {"name": name, "project": project, "created": when(found["created"]), "size": _size(found)}
    if found["deleting"]:
        rows["state"] = f"it is being deleted: `s2i volume delete {name}` goes on with that"
    if found["users"]:
        rows["used by"] = ", ".join(found["users"])
    for field, value in rows.items():
        click.echo(f"{field:<10}{value}")


@volume.command()
@delete_options
def delete(name: str, project: str, yes: bool) -> None:
    """Delete a volume that nobody mounts, with all that is in it, for good.

    \b
    Example:  s2i volume delete uploads --yes
    """
    question = f"Delete the volume {name} of the project {project}, with all that is in it?"
    delete_thing(path(project, "volumes", name), name, question, yes=yes)


def _size(one: dict[str, Any]) -> str:
    return "unknown" if one["bytes"] is None else size(one["bytes"])
