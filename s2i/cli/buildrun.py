"""`s2i buildrun`: executions of builds, by `s2i build` and by the deployments of this machine's server."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from s2i.cli import remote
from s2i.cli.group import Group
from s2i.cli.nouns import log_options
from s2i.cli.output import as_json, emit, output_option, safe, size, table, when

if TYPE_CHECKING:
    from s2i.images.events import StepResult
    from s2i.images.runs.run import BuildRun

CANCEL_SECONDS = 20.0
SHOWN = 60  # characters of an error in a list


@click.group(cls=Group)
def buildrun() -> None:
    """Build runs: each execution of a build, with its log. ID may be the beginning of one.

    \b
    Example:  s2i buildrun list
    """
    remote.refuse("`s2i buildrun`")


@buildrun.command("list")
@click.option("--project", help="Only those of this project's deployments.")
@output_option
def list_(project: str | None, output: str | None) -> None:
    """List the build runs that are kept, newest first.

    \b
    Example:  s2i buildrun list -o json
    """
    from s2i.images.runs import shelf

    found = [run for run in shelf.every() if project is None or run.project == project]
    if output:
        emit(found, output)
        return
    if not found:
        click.echo("no build runs", err=True)
        return
    rows = [
        (run.id, run.title, run.status, when(run.started), _took(run), _size(run.size), _result(run)) for run in found
    ]
    table(("id", "name", "status", "started", "seconds", "size", "result"), rows)


@buildrun.command()
@click.argument("ident", metavar="[ID]", default="")
@output_option
def get(ident: str, output: str | None) -> None:
    """Show one build run with its steps; the newest when no ID is given.

    \b
    Example:  s2i buildrun get 3f9a
    """
    from s2i.images.runs import shelf

    run = shelf.find(ident)
    if output:
        emit(run, output)
        return
    shown = {"id": run.id, "name": run.title, "project": run.project, "source": run.source, "commit": run.commit}
    shown |= {"status": run.status, "started": when(run.started), "seconds": _took(run)}
    for field, value in {**shown, "image": run.image, "size": _size(run.size), "tags": ", ".join(run.tags)}.items():
        if value:
            click.echo(f"{field:<10}{safe(value)}")
    for notice in run.notices:
        click.echo(safe(f"{'note':<10}{notice.message} ({notice.code})"))
    if run.error:
        first, *tail = str(run.error["message"]).split("\n")
        click.echo(f"{'error':<10}{safe(first)}")
        for line in tail:
            click.echo(f"{'':<10}{safe(line)}")
    if run.steps:
        click.echo()
        rows = [(_ended(s), f"{s.seconds:.1f}", _size(s.bytes), s.name) for s in run.steps]
        table(("cache", "seconds", "size", "step"), rows)


@buildrun.command()
@click.argument("ident", metavar="[ID]", default="")
@log_options
@click.option("-o", "--output", type=click.Choice(["json"]), help="Print the events, a JSON object a line.")
def logs(ident: str, follow: bool, tail: int | None, output: str | None) -> None:
    """Print what the steps of a build run printed; of the newest when no ID is given.

    \b
    Example:  s2i buildrun logs 3f9a --tail 50
    """
    from s2i.images.runs import reading, shelf

    run = shelf.find(ident)
    names: dict[object, str] = {}

    def shown(events: Iterable[dict[str, Any]]) -> Iterator[str]:
        for event in events:
            if output:
                yield as_json(event)
            elif (line := reading.text(event, names)) is not None:
                yield safe(line)

    there = 0
    if tail is not None:
        past = list(reading.events(run.id))
        there = len(past)
        for line in deque(shown(past), maxlen=tail):
            click.echo(line)
    if tail is None or follow:
        for line in shown(reading.events(run.id, follow=follow, start=there)):
            click.echo(line)


@buildrun.command()
@click.argument("ident", metavar="ID")
def cancel(ident: str) -> None:
    """End a build that goes on, whoever started it, and wait until nothing of it is left.

    \b
    Example:  s2i buildrun cancel 3f9a
    """
    from s2i.errors import E_BUSY
    from s2i.images.runs import shelf

    run = shelf.find(ident)
    if run.status != "running":
        click.echo(f"the build run {run.id} has ended already: {run.status}", err=True)
        return
    (shelf.place() / run.id / shelf.CANCEL).touch(mode=0o600)
    until = time.monotonic() + CANCEL_SECONDS
    while (run := shelf.find(run.id)).status == "running":
        if time.monotonic() > until:
            raise E_BUSY(name=run.id, holder="it has been told to end, and will when its present step can be ended")
        time.sleep(0.05)
    click.echo(f"{run.id} {run.status}")


def _ended(step: StepResult) -> str:
    return "FAILED" if step.failed else "cached" if step.cached else "ran"


def _took(run: BuildRun) -> str:
    return f"{run.seconds:.1f}" if run.seconds else ""


def _size(count: int) -> str:
    return size(count) if count else ""


def _result(run: BuildRun) -> str:
    if run.status == "done":
        return ", ".join(run.tags) or run.image[:19]
    if not run.error or run.status != "failed":
        return ""
    first = str(run.error["message"]).split("\n")[0]
    return f"{run.error['code']}: {first if len(first) <= SHOWN else f'{first[:SHOWN]}…'}"
