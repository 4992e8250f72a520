"""`s2i token`: what people and programs that are elsewhere show to the server."""

from __future__ import annotations

from typing import Any

import click

from s2i.cli.confirm import confirm
from s2i.cli.group import Group
from s2i.cli.output import emit, output_option, table, when
from s2i.resources.names import thing_name
from s2i.resources.people import span


@click.group(cls=Group)
def token() -> None:
    """Tokens: what somebody elsewhere shows to this server. What one may do, `s2i project member add` says.

    \b
    Example:  s2i token create ci --expires 90d
              s2i project member add shop ci --role writer
    """


@token.command()
@click.argument("name")
@click.option("--admin", is_flag=True, help="It may do everything, in every project.")
@click.option(
    "--expires", metavar="SPAN", help="Until when it holds, as 12h, 90d or 2w [default: until it is revoked]."
)
@output_option
def create(name: str, admin: bool, expires: str | None, output: str | None) -> None:
    """Make a token, and print it this once: the server keeps its digest alone.

    \b
    Example:  s2i token create ci --expires 90d
    """
    from s2i.cli.client import connect

    seconds = span(expires, "--expires", "token create") if expires else 0.0
    found = connect().call("POST", "/v1/tokens", {"name": _checked(name), "admin": admin, "seconds": seconds})
    if output:
        emit(found, output)
        return
    click.echo(found["token"])
    ends = f", until {when(found['expires'])}" if found["expires"] else ", until it is revoked"
    rights = "may do everything" if admin else "has no role in any project yet"
    click.echo(f"{name} {rights}{ends}. It is not shown again: put it into S2I_TOKEN where it is needed", err=True)


@token.command("list")
@output_option
def list_(output: str | None) -> None:
    """List the tokens: what each may do, and when it was used last.

    \b
    Example:  s2i token list
    """
    from s2i.cli.client import connect

    found = connect().call("GET", "/v1/tokens")
    if output:
        emit(found, output)
    elif not found:
        click.echo("no tokens", err=True)
    else:
        rows = [
            (one["name"], _roles(one), when(one["created"]), when(one["expires"]), when(one["used"])) for one in found
        ]
        table(("name", "roles", "created", "expires", "used"), rows)


@token.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def revoke(name: str, yes: bool) -> None:
    """Let a token hold no more, from this moment on; its roles go with it.

    \b
    Example:  s2i token revoke ci --yes
    """
    from s2i.cli.client import connect

    client = connect()
    if not yes:
        confirm(f"Revoke the token {name}?")
    client.call("DELETE", f"/v1/tokens/{_checked(name)}")
    click.echo(f"revoked {name}")


def _checked(name: str) -> str:
    """Return a name that leads nowhere else in the API. Raises E_NAME."""
    return thing_name("token", name)


def _roles(one: dict[str, Any]) -> str:
    return "admin" if one["admin"] else ", ".join(f"{role} of {project}" for project, role in one["roles"].items())
