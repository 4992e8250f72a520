"""`s2i deploy SRC`: from a source to a running app and its URL, or to a job run and its end."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import click

from s2i import sources
from s2i.cli.build import interruptible, title
from s2i.cli.eventlines import EventLines
from s2i.cli.output import emit, output_option, safe
from s2i.cli.plan import source_options
from s2i.cli.private import arguments_of, asked, private_options
from s2i.cli.progress import Progress, progress_option, shown
from s2i.errors import E_SERVER, E_SERVER_STOPPED, S2IError
from s2i.resources import config, names
from s2i.resources.app import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from s2i.cli.client import Client

CANCEL_SECONDS = 15.0
RECONNECTS = 3


@click.command()
@click.option("--name", help="Name of the app or job [default: made from SRC].")
@click.option("--project", default="default", show_default=True, help="The project that it belongs to.")
@click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set a variable; may be repeated.")
@click.option("--port", metavar="PORT", help="Where the app listens, given to it as $PORT [default: 8080].")
@click.option("--memory", metavar="SIZE", default="512M", show_default=True, help="The most that it may use.")
@click.option("--cpu", metavar="CORES", default="1", show_default=True, help="The most that it may use.")
@click.option("--timeout", default="1800", metavar="SECONDS", show_default=True, help="End the build after this long.")
@click.option("--prove/--no-prove", default=True, help="Give it no traffic before it is proven [default: prove].")
@click.option("--platform", default="", metavar="OS/ARCH", help="Build for another processor: linux/arm64.")
@click.option("--wait/--no-wait", default=True, help="Wait until it serves, or has run [default: wait].")
@click.option(
    "--build-arg", multiple=True, metavar="NAME[=VALUE]", help="Set an ARG of SRC's own Dockerfile; may be repeated."
)
@click.option("--locked", is_flag=True, help="Install only what a lock or hashes pin; refuse anything else.")
@private_options
@source_options
@progress_option
@output_option
def deploy(
    src: str,
    commit: str,
    context_dir: str,
    strategy: str,
    name: str | None,
    project: str,
    env: tuple[str, ...],
    port: str | None,
    memory: str,
    cpu: str,
    timeout: str,
    prove: bool,
    platform: str,
    wait: bool,
    build_arg: tuple[str, ...],
    locked: bool,
    secret: tuple[str, ...],
    index_url: str,
    netrc: str,
    progress: str,
    output: str | None,
) -> None:
    """Build SRC and run it: an app at a URL, or a job to its end. Starts the server when it does not run.

    SRC is a folder, https://host/owner/repo[@ref][#subdir] or git@host:owner/repo. An app that is there
    already is replaced by its new version without a failed request. The exit status is 0 when the app
    answers, or the job has succeeded.

    \b
    Example:  s2i deploy ./src --name shop --env LOG_LEVEL=debug
    """
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    if isinstance(source, sources.Folder):
        source = sources.Folder(os.path.abspath(source.path), source.subdir)  # noqa: PTH100 a link stays a link
    private = asked(secret, index_url, netrc)
    body = {
        "source": source,
        "name": names.app_name(names.suggest(title(source)) if name is None else name),
        "config": Config(config.parse_env(env), config.parse_cpu(cpu), config.parse_memory(memory)),
        "port": None if port is None else config.parse_port(port),
        "strategy": strategy,
        "timeout": config.parse_seconds(timeout),
        "prove": prove,
        "git_allow": os.environ.get(sources.ALLOW, ""),
        "secrets": private.secrets,
        "index": private.index,
        "arguments": arguments_of(build_arg),
        "locked": locked,
    }
    if platform:
        from s2i.images import platforms

        body["platform"] = platforms.parse(platform)
    _deploy(names.project_name(project), body, private.notices, wait, shown(progress, output), output)


def _deploy(
    project: str,
    body: dict[str, Any],
    notices: tuple[sources.Notice, ...],
    wait: bool,
    display: Progress | EventLines,
    output: str | None,
) -> None:
    from s2i.cli.client import connect

    client = connect()
    base = f"/v1/projects/{project}/deployments"
    begun = client.call("POST", base, body)
    if not wait:
        with display:
            for notice in notices:
                display.notice(notice)
        emit(begun, output) if output else click.echo(begun["id"])
        click.echo(f"it goes on: `{_look(begun, '')}`, or `s2i jobrun list` when it is a job", err=True)
        return
    path = f"{base}/{begun['id']}"
    with interruptible():
        ended = _follow(client, path, begun, display, notices)
    if output:
        emit(ended, output)
    elif ended["kind"] == "app" and ended["result"]:
        click.echo(ended["result"])
    if ended["kind"] == "job":
        _job_ended(client, project, ended, show=not output)
    if ended["error"]:
        _fail(ended)


def _follow(
    client: Client,
    path: str,
    begun: dict[str, Any],
    display: Progress | EventLines,
    notices: tuple[sources.Notice, ...] = (),
) -> dict[str, Any]:
    """Show a deployment until it has ended, and return it then, with all notices of it as ``warnings``.

    Ctrl-C cancels it until it is proven, and leaves the roll-out after that.

    Raises E_SERVER_STOPPED when the server was stopped before that.
    """
    building, jobrun = True, ""
    told = [{"code": one.code, "message": one.message, "where": one.where} for one in notices]
    with display as progress:
        for notice in notices:
            progress.notice(notice)
        try:
            for event in _events(client, path):
                if event.get("type") == "notice":
                    told.append({name: event.get(name, "") for name in sources.Notice.__struct_fields__})
                building = building and event.get("status") != "rolling-out"
                jobrun = event.get("jobrun") or jobrun
                progress.wire(event)
        except KeyboardInterrupt:
            status = _cancel(client, path) if building else "rolling-out"
            if status == "rolling-out":
                what = "run" if jobrun else "roll-out"
                progress.say(f"note   the {what} goes on without us: `{_look(begun, jobrun)}`")
            elif status == "ready":
                progress.say(f"note   that was too late, it is deployed: `{_look(begun, jobrun)}`")
            raise
    found = _after(client, path)
    if found["status"] not in ("building", "rolling-out"):
        # What is planned a second time says most of its notices twice.
        return {**found, "warnings": [one for number, one in enumerate(told) if one not in told[:number]]}
    if building:
        raise E_SERVER_STOPPED(name=begun["name"], doing="built", then="run the same command again")
    then = f"it goes on with the next server, which any command starts: `{_look(begun, jobrun)}`"
    raise E_SERVER_STOPPED(name=begun["name"], doing="run" if jobrun else "rolled out", then=then)


def _after(client: Client, path: str) -> dict[str, Any]:
    """Return a deployment after its last event; as one that still goes on when the server has gone meanwhile."""
    try:
        found: dict[str, Any] = client.call("GET", path)
    except S2IError as error:
        if error.kind is not E_SERVER:
            raise
        return {"status": "rolling-out"}
    return found


def _look(begun: dict[str, Any], jobrun: str) -> str:
    """Return the command that shows what became of a deployment."""
    what = f"jobrun get {jobrun}" if jobrun else f"app get {begun['name']}"
    return f"s2i {what}{names.project_words(begun['project'])}"


def _events(client: Client, path: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a deployment to its end, from one server and then the next when one is killed."""
    import json

    from s2i.cli.client import connect

    seen = 0
    for attempt in range(RECONNECTS + 1):
        try:
            for line in client.lines(f"{path}/events", start=seen):
                seen += 1
                yield json.loads(line)
        except S2IError as error:
            if error.kind is not E_SERVER or attempt == RECONNECTS:
                raise
            connect()  # starts the next server; `client` talks to whoever has the socket
        else:
            return


def _cancel(client: Client, path: str) -> str:
    """Cancel a deployment, wait until nothing is at work for it, and return its status then."""
    status = str(client.call("POST", f"{path}/cancel")["status"])
    until = time.monotonic() + CANCEL_SECONDS
    with contextlib.suppress(KeyboardInterrupt):  # once is enough
        while status in ("building", "rolling-out") and time.monotonic() < until:
            time.sleep(0.05)
            status = str(client.call("GET", path)["status"])
    return status


def _job_ended(client: Client, project: str, ended: dict[str, Any], *, show: bool) -> None:
    """Print a job run's log, and how it ended."""
    if not ended["result"]:
        return
    run = client.call("GET", f"/v1/projects/{project}/jobruns/{ended['result']}")
    if show:
        for line in client.lines(f"/v1/projects/{project}/jobruns/{run['name']}/logs"):
            click.echo(safe(line))
        code = "no exit code" if run["exit"] is None else f"exit code {run['exit']}"
        # Most reasons are the exit code once more.
        why = "" if run["reason"] in ("", code) else f": {run['reason']}"
        click.echo(safe(f"{run['name']}: {run['status']}, {code}{why}"))


def _fail(ended: dict[str, Any]) -> None:
    from s2i.cli.client import RemoteError

    raise RemoteError(ended["error"])
