"""`s2i domain`: host names of one's own for apps."""

from __future__ import annotations

import click

from s2i.cli.group import Group
from s2i.cli.nouns import project_option
from s2i.cli.output import emit, output_option, table
from s2i.resources.domains import host as checked
from s2i.resources.names import thing_name


@click.group(cls=Group)
def domain() -> None:
    """Domains: host names of one's own that lead to an app.

    \b
    Example:  s2i domain map shop.example.com shop
    """


@domain.command("map")
@click.argument("host")
@click.argument("app")
@click.option(
    "--tls",
    type=click.Choice(["auto", "acme", "local", "off"]),
    default="auto",
    show_default=True,
    help="Its certificate: acme from a public authority, local from this machine's CA, off for HTTP alone; auto: acme"
    " where S2I_ACME_EMAIL was set for the server, else local.",
)
@project_option
@output_option
def map_(host: str, app: str, tls: str, project: str, output: str | None) -> None:
    """Let HOST lead to an app. Its name has to lead to this machine: by DNS, or in /etc/hosts.

    \b
    Example:  s2i domain map shop.example.com shop --tls acme
    """
    from s2i.cli.client import connect

    name, app = checked(host), thing_name("app", app)
    found = connect().call("PUT", f"/v1/projects/{project}/domains/{name}", {"app": app, "tls": tls})
    emit(found, output) if output else click.echo(found["url"])


@domain.command("list")
@project_option
@output_option
def list_(project: str, output: str | None) -> None:
    """List the domains of a project's apps.

    \b
    Example:  s2i domain list
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/domains")
    if output:
        emit(found, output)
    elif found:
        table(("domain", "app", "tls", "url"), ((one["host"], one["app"], one["tls"], one["url"]) for one in found))
    else:
        click.echo(f"no domains in the project {project}", err=True)


@domain.command()
@click.argument("host")
@project_option
def unmap(host: str, project: str) -> None:
    """Let HOST lead to no app any more.

    \b
    Example:  s2i domain unmap shop.example.com
    """
    from s2i.cli.client import connect

    name = checked(host)
    connect().call("DELETE", f"/v1/projects/{project}/domains/{name}")
    click.echo(f"unmapped {name}")
