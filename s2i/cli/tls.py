"""`s2i tls`: the certificates of apps, and who trusts the authority of this machine that gives them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from s2i.cli import remote
from s2i.cli.confirm import confirm
from s2i.cli.group import Group
from s2i.cli.output import emit, output_option
from s2i.errors import E_NO_TLS, S2IError

if TYPE_CHECKING:
    from s2i.router.trust import Store

_only = click.option("--browser", is_flag=True, help="Of the browser alone: this needs no root.")
_yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


@click.group(cls=Group)
def tls() -> None:
    """HTTPS: apps have certificates of an authority (CA) that this server made for this machine alone.

    \b
    Example:  s2i tls trust
    """


@tls.command()
@output_option
def show(output: str | None) -> None:
    """Show the root certificate, and who trusts it.

    \b
    Example:  s2i tls show
    """
    from s2i.router.trust import fingerprint

    root, port = _authority()
    trusted = {one.name: one.has(root) for one in _stores(browser=False)}
    if output:
        emit({"port": port, "sha256": fingerprint(root), "root": root, "trusted": trusted}, output)
        return
    click.echo(f"{'https':<10}https://APP.PROJECT.localhost:{port}")
    click.echo(f"{'sha256':<10}{fingerprint(root)}")
    for name, yes in trusted.items():
        click.echo(f"{'trusted' if yes else 'unknown':<10}{'by' if yes else 'to'} {name}")


@tls.command()
@_only
@_yes
def trust(browser: bool, yes: bool) -> None:
    """Have this machine trust the certificates of apps: its programs, and the browser of whoever runs this.

    Whoever has the key of the CA, which stays in the folder of the server, can pass for any site for who trusts it.

    \b
    Example:  s2i tls trust --browser --yes
    """
    remote.refuse("`s2i tls trust`")
    root, _ = _authority()
    wanted = [one for one in _stores(browser=browser) if not one.has(root)]
    if not wanted:
        click.echo("it is trusted already")
        return
    if not yes:
        confirm(f"Let {' and '.join(one.name for one in wanted)} trust the CA of this server?")
    _each(wanted, root, "add", "trusted by")


@tls.command()
@_only
@_yes
def untrust(browser: bool, yes: bool) -> None:
    """Take back what `s2i tls trust` did.

    \b
    Example:  s2i tls untrust --yes
    """
    remote.refuse("`s2i tls untrust`")
    root, _ = _authority()
    wanted = [one for one in _stores(browser=browser) if one.has(root)]
    if not wanted:
        click.echo("nobody trusts it")
        return
    if not yes:
        confirm(f"Let {' and '.join(one.name for one in wanted)} trust the CA of this server no more?")
    _each(wanted, root, "remove", "no longer trusted by")


def _each(stores: list[Store], root: str, verb: str, done: str) -> None:
    """Do it with each store; the first failure is told when the others are done."""
    failed: S2IError | None = None
    for one in stores:
        try:
            getattr(one, verb)(root)
        except S2IError as error:
            failed = failed or error
        else:
            click.echo(f"{done} {one.name}")
    if failed:
        raise failed


def _stores(*, browser: bool) -> list[Store]:
    from s2i.router.trust import BrowserStore, stores

    return [one for one in stores(Path.home()) if not browser or isinstance(one, BrowserStore)]


def _authority() -> tuple[str, int]:
    from s2i.cli.client import connect

    found: dict[str, Any] = connect().call("GET", "/v1/tls")
    if not found["port"]:
        raise E_NO_TLS()
    return found["root"], found["port"]
