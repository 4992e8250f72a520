"""`s2i deploy SRC`: from a source to a running app and its URL, or to a job run and its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from s2i import sources
from s2i.cli.build import interruptible, title
from s2i.cli.eventlines import EventLines
from s2i.cli.following import fail, follow, look
from s2i.cli.output import emit, output_option, safe
from s2i.cli.plan import source_options
from s2i.cli.private import arguments_of, asked, private_options
from s2i.cli.progress import Progress, progress_option, shown
from s2i.resources import config, names
from s2i.resources.app import Config

if TYPE_CHECKING:
    from s2i.cli.client import Client


@click.command()
@click.option("--name", help="Name of the app or job [default: made from SRC].")
@click.option("--project", default="default", show_default=True, help="The project that it belongs to.")
@click.option("-e", "--env", multiple=True, metavar="KEY=VALUE", help="Set a variable; may be repeated.")
@click.option("--port", metavar="PORT", help="Where it listens, given as $PORT; h2c:8080: for HTTP/2 [default: 8080].")
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
    number, h2c = (None, None) if port is None else config.split_protocol(port)
    body = {
        "source": source,
        "name": names.app_name(names.suggest(title(source)) if name is None else name),
        "config": Config(config.parse_env(env), config.parse_cpu(cpu), config.parse_memory(memory)),
        "port": None if number is None else config.parse_port(number),
        "h2c": h2c,
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
        click.echo(f"it goes on: `{look(begun, '')}`, or `s2i jobrun list` when it is a job", err=True)
        return
    path = f"{base}/{begun['id']}"
    with interruptible():
        ended = follow(client, path, begun, display, notices)
    if output:
        emit(ended, output)
    elif ended["kind"] == "app" and ended["result"]:
        click.echo(ended["result"])
    if ended["kind"] == "job":
        _job_ended(client, project, ended, show=not output)
    if ended["error"]:
        fail(ended)


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
