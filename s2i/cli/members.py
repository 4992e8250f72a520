"""`s2i project member`: which token may do what in a project."""

from __future__ import annotations

import click

from s2i.cli.group import Group
from s2i.cli.output import emit, output_option, table
from s2i.resources.names import project_name, thing_name
from s2i.resources.people import ROLES


@click.group(cls=Group)
def member() -> None:
    """Members: the tokens that may do something in a project.

    \b
    Example:  s2i project member add shop ci --role writer
    """


@member.command()
@click.argument("project")
@click.argument("token")
@click.option("--role", type=click.Choice(ROLES), required=True, help="reader sees, writer changes, manager decides.")
@output_option
def add(project: str, token: str, role: str, output: str | None) -> None:
    """Give a token a role in a project, in the place of the one that it has.

    \b
    Example:  s2i project member add shop ci --role writer
    """
    from s2i.cli.client import connect

    found = connect().call("PUT", _at(project, token), {"role": role})
    emit(found, output) if output else click.echo(f"{token} is {role} of {project}")


@member.command()
@click.argument("project")
@click.argument("token")
def remove(project: str, token: str) -> None:
    """Take a token its role in a project.

    \b
    Example:  s2i project member remove shop ci
    """
    from s2i.cli.client import connect

    connect().call("DELETE", _at(project, token))
    click.echo(f"{token} is no member of {project} any more")


@member.command("list")
@click.argument("project")
@output_option
def list_(project: str, output: str | None) -> None:
    """List the members of a project. Admins are none: they may do everything anyway.

    \b
    Example:  s2i project member list shop
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project_name(project)}/members")
    if output:
        emit(found, output)
    elif not found:
        click.echo("no members", err=True)
    else:
        table(("token", "role"), [(one["token"], one["role"]) for one in found])


def _at(project: str, token: str) -> str:
    """Return the API's path of a member. Raises E_NAME."""
    return f"/v1/projects/{project_name(project)}/members/{thing_name('token', token)}"
