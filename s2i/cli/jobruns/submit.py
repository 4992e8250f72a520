"""`s2i jobrun submit|resubmit|cancel`: have a job run, some of its indices again, or no longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from s2i.cli import asked
from s2i.cli.jobruns.watching import ended, watch
from s2i.cli.jobs.options import execution_of, execution_options
from s2i.cli.masked import told
from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option

F = TypeVar("F", bound=Callable[..., Any])


def _options(command: F) -> F:
    for option in (
        output_option,
        project_option,
        click.option("--wait/--no-wait", default=False, help="Wait until it has ended [default: no-wait]."),
        click.option("--data", metavar="TEXT", help="Give this to the run as $JOB_DATA."),
        asked.process_options,
        execution_options,
        click.argument("name"),
    ):
        command = option(command)
    return command


@click.command()
@_options
def submit(name: str, project: str, wait: bool, data: str | None, output: str | None, **given: Any) -> None:
    """Run the job NAME, with its settings or others for this run alone. Without room for it, it waits.

    With --wait the exit status is 0 when all of its indices have succeeded, else 6.

    \b
    Example:  s2i jobrun submit report --array-size 50 --parallelism 4 --wait
    """
    _ask(f"{path(project, 'jobs', name)}/runs", _body(given, data), project, wait=wait, output=output)


@click.command()
@_options
@click.option("--failed", is_flag=True, help="Only the indices that did not succeed.")
def resubmit(
    name: str, project: str, wait: bool, data: str | None, output: str | None, failed: bool, **given: Any
) -> None:
    """Run again what the job run NAME did, as it did; $JOB_ARRAY_SIZE is the same, however few indices run.

    \b
    Example:  s2i jobrun resubmit report-7 --failed --memory 2G --wait
    """
    body = {**_body(given, data), "failed": failed}
    _ask(f"{path(project, 'jobruns', name)}/resubmit", body, project, wait=wait, output=output)


@click.command()
@click.argument("name")
@project_option
@output_option
def cancel(name: str, project: str, output: str | None) -> None:
    """End a job run: what runs gets SIGTERM, and SIGKILL 10 s later; what waits does not begin. Its logs are kept.

    \b
    Example:  s2i jobrun cancel report-7
    """
    from s2i.cli.client import connect

    at = f"{path(project, 'jobruns', name)}/cancel"
    found = connect().call("POST", at)
    if output:
        emit(told(found), output)
    else:
        click.echo(f"cancelled {name}" if found["status"] == "cancelled" else f"{name} is being ended")


def _body(given: dict[str, Any], data: str | None) -> dict[str, Any]:
    return {"change": asked.change_of(given), "execution": execution_of(given), "data": data}


def _ask(at: str, body: dict[str, Any], project: str, *, wait: bool, output: str | None) -> None:
    from s2i.cli.client import connect

    client = connect()
    found = client.call("POST", at, body)
    if not wait:
        emit(told(found), output) if output else click.echo(found["name"])
        return
    found = watch(client, path(project, "jobruns", found["name"]), found, show=not output)
    ended(found, output)
