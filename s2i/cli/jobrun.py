"""`s2i jobrun`: executions of jobs."""

from __future__ import annotations

import click

from s2i.cli.group import Group
from s2i.cli.nouns import delete_options, delete_thing, log_options, path, project_option
from s2i.cli.output import emit, output_option, safe, table, when


@click.group(cls=Group)
def jobrun() -> None:
    """Job runs: code that ran once, or still runs.

    \b
    Example:  s2i jobrun list
    """


@jobrun.command("list")
@click.option("--job", help="Only the runs of this job.")
@project_option
@output_option
def list_(job: str | None, project: str, output: str | None) -> None:
    """List the job runs of a project, newest first.

    \b
    Example:  s2i jobrun list --job report
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/jobruns")
    found = [one for one in found if job is None or one["job"] == job]
    if output:
        emit(found, output)
        return
    if not found:
        click.echo(f"no job runs in the project {project}", err=True)
        return
    rows = [(one["name"], one["status"], _exit(one), when(one["started"]), _took(one)) for one in found]
    table(("name", "status", "exit", "started", "seconds"), rows)


@jobrun.command()
@click.argument("name")
@project_option
@output_option
def get(name: str, project: str, output: str | None) -> None:
    """Show one job run.

    \b
    Example:  s2i jobrun get report-1
    """
    from s2i.cli.client import connect

    at = path(project, "jobruns", name)
    found = connect().call("GET", at)
    if output:
        emit(found, output)
        return
    shown = {"name": found["name"], "job": found["job"], "status": found["status"], "exit": _exit(found)}
    shown |= {"reason": found["reason"], "started": when(found["started"]), "seconds": _took(found)}
    for field, value in {**shown, "image": found["image"]}.items():
        if value:
            click.echo(f"{field:<10}{safe(value)}")


@jobrun.command()
@click.argument("name")
@project_option
@log_options
def logs(name: str, project: str, follow: bool, tail: int | None) -> None:
    """Print what a job run wrote; it is kept when the run has ended.

    \b
    Example:  s2i jobrun logs report-1
    """
    from s2i.cli.client import connect

    at = path(project, "jobruns", name)
    for line in connect().lines(f"{at}/logs", follow=follow, tail=tail):
        click.echo(safe(line))


@jobrun.command()
@delete_options
def delete(name: str, project: str, yes: bool) -> None:
    """Delete a job run with its log; end it when it still runs.

    \b
    Example:  s2i jobrun delete report-1 --yes
    """
    delete_thing(path(project, "jobruns", name), name, f"Delete the job run {name} of the project {project}?", yes=yes)


def _exit(run: dict[str, object]) -> str:
    return "" if run["exit"] is None else str(run["exit"])


def _took(run: dict[str, float]) -> str:
    return f"{run['finished'] - run['started']:.1f}" if run["finished"] else ""
