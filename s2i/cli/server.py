"""`s2i server`: the process that keeps apps running."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import click

from s2i.cli import remote
from s2i.cli.confirm import confirm
from s2i.cli.group import Group
from s2i.cli.output import count, emit, output_option, size, when
from s2i.errors import E_BACKUP, E_BUSY, S2IError

STOP_SECONDS = 30.0


@click.group(cls=Group)
def server() -> None:
    """The server. Other commands start it when it does not run.

    \b
    Example:  s2i server status
    """


@server.command()
@click.option(
    "--listen", metavar="HOST:PORT", default="", help="Listen there, too, with TLS; S2I_API_ADDRESS says the same."
)
@click.option(
    "--tls-cert", metavar="FILE", default="", help="The certificate, with its chain [default: one of its own]."
)
@click.option("--tls-key", metavar="FILE", default="", help="The key of that certificate.")
@output_option
def run(listen: str, tls_cert: str, tls_key: str, output: str | None) -> None:
    """Run the server in the foreground, until Ctrl-C. On TCP it takes no request without a token.

    \b
    Example:  s2i server run
              s2i server run --listen 127.0.0.1:8543
    """
    from s2i.api.serve import serve

    serve(listen=listen, cert=tls_cert, key=tls_key)


@server.command()
def start() -> None:
    """Start the server in the background, if it does not run.

    \b
    Example:  s2i server start
    """
    remote.refuse("`s2i server start`")
    from s2i.cli.client import connect

    about = connect().call("GET", "/v1/server")
    click.echo(f"the server runs: process {about['pid']}, apps at http://APP.PROJECT.localhost:{about['port']}")


@server.command()
@output_option
def status(output: str | None) -> None:
    """Say whether the server runs, and what it sees. Does not start it; exit status 6 when it does not run.

    \b
    Example:  s2i server status -o json
    """
    from s2i.cli.client import connect

    about: dict[str, Any] = connect(start=False).call("GET", "/v1/server?full=true")
    if output:
        emit(about, output)
        return
    engine = about["engine"]
    if not about["pid"]:
        click.echo(f"{'version':<10}{about['version']}")
        click.echo(f"{'since':<10}{when(about['started'])}")
        return
    rows = {
        "version": about["version"],
        "process": about["pid"],
        "since": when(about["started"]),
        "engine": f"{engine['name']} {engine['version']} at {engine['socket']}" if engine else about["problem"],
        "router": f"http://APP.PROJECT.localhost:{about['port']}",
        "apps": about["apps"],
        "firewall": _firewall(about["exposed"]),
        "id": about["id"],
        **_listening(about),
    }
    for field, value in rows.items():
        click.echo(f"{field:<10}{value}")


@server.command()
@click.option("--all", "everything", is_flag=True, help="Remove all that it made: apps, jobs, containers, images.")
@click.option("--volumes", is_flag=True, help="With --all: the volumes as well, and what is in them, for good.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def stop(everything: bool, volumes: bool, yes: bool) -> None:
    """Stop the server and its router. Containers go on running, and are taken up again by the next server.

    \b
    Example:  s2i server stop --all --yes
              s2i server stop --all --volumes --yes
    """
    remote.refuse("`s2i server stop`")
    from s2i.cli.client import connect, running

    found = running()
    if everything and found is None:
        connect()  # only a server can remove what is there
        found = running()
    if found is None:
        click.echo("the server does not run")
        return
    client, about = found
    if everything and not yes:
        made = f"{count(about['apps'], 'app')}, all jobs, their containers and images"
        rest = "and all volumes, with what is in them" if volumes else "but volumes"
        confirm(f"Remove all that this server made: {made}, {rest}?")
    removed = client.call("POST", "/v1/server/stop", {"all": everything, "volumes": volumes})
    _await_end(int(about["pid"]))
    if everything:
        counts = ", ".join(count(number, what.removesuffix("s")) for what, number in removed.items())
        click.echo(f"removed {counts}; base images are kept (they are shared: `docker image ls s2i.local/*`)")
        _tell_of_builds()
    left = int(about.get("serving", about["apps"]))
    running_on = f"; {count(left, 'app')} {'is' if left == 1 else 'are'} left running, unrouted"
    click.echo("the server has ended" + ("" if everything else running_on))


@server.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--with-key", is_flag=True, help="Put the key of the secrets into it: whoever has the file reads them.")
@click.option("--force", is_flag=True, help="Replace a file of that name.")
def backup(file: Path, with_key: bool, force: bool) -> None:
    """Write what the server knows to FILE: projects, apps, jobs, schedules, secrets (sealed). It may run meanwhile.

    Images, logs and what is in volumes are not in it. Without --with-key keep secrets.key of the state folder
    yourself, and elsewhere.

    \b
    Example:  s2i server backup /var/backups/s2i.backup
    """
    remote.refuse("`s2i server backup`")
    from s2i import dirs
    from s2i.control import backup as backups

    backups.write(dirs.state(), file, time.time(), key=with_key, replace=force)
    sealed = "" if with_key else "; secrets are sealed: their key is not in it (secrets.key)"
    click.echo(f"{file}: {size(file.stat().st_size)}{sealed}")


@server.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def restore(file: Path | None, yes: bool) -> None:
    """Put the backup FILE in the place of what the server knows. What was there is kept beside it.

    Without FILE those are listed that the server made by itself, one an hour. It must not run.

    \b
    Example:  s2i server restore /var/backups/s2i.backup
    """
    remote.refuse("`s2i server restore`")
    from s2i import dirs
    from s2i.api.serve import lock
    from s2i.control import backup as backups

    state = dirs.state()
    if file is None:
        for one in backups.kept(state):
            click.echo(one)
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock())
        except S2IError as error:
            if error.kind is not E_BUSY:
                raise
            advice = "`s2i server stop` first: what runs goes on meanwhile"
            raise E_BACKUP(what=file, done="restored", why="the server runs", advice=advice) from None
        if not yes:
            confirm(f"Put {file} in the place of what is in {state}?")
        done = backups.restore(state, file, time.time())
    click.echo(f"restored what was known at {when(done.manifest.created)}; `s2i server start` goes on from there")
    for path in done.before:
        click.echo(f"kept what was there: {path}")
    if not done.opens:
        click.echo(f"secrets cannot be opened before their key is there: {state}/secrets.key", err=True)


def _firewall(why: str) -> str:
    """Return what containers reach of this machine, for people. ``why``: they cannot be kept from it."""
    if why:
        return f"containers reach services of this machine: {why}"
    return "no container reaches a service of this machine"


def _listening(about: dict[str, Any]) -> dict[str, str]:
    """Return where the server is on TCP, and what vouches for it there; nothing when it is on its socket alone."""
    if not (found := about["listening"]):
        return {}
    refused = f", {count(about['refused'], 'request')} without a good token" if about["refused"] else ""
    return {"tcp": f"{found['url']}{refused}", "root": found["root"], "sha256": found["sha256"]}


def _tell_of_builds() -> None:
    """Say which images `s2i build` made that no server has to do with: they stay."""
    from s2i.engines.docker import connection
    from s2i.images.stock.built import built
    from s2i.images.stock.listing import every

    known = built()
    if left := sum(one.id in known for one in every(connection.client())):
        stay = "stays" if left == 1 else "stay"
        remove = "`s2i image list` shows them, `docker image rm NAME` and `s2i image gc` remove them"
        click.echo(f"{count(left, 'image')} of `s2i build` {stay}: {remove}")


def _await_end(pid: int) -> None:
    from s2i import shell

    until = time.monotonic() + STOP_SECONDS
    while shell.alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
