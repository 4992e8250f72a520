"""`s2i job`: the jobs of a project."""

from __future__ import annotations

import click

from s2i.cli.group import Group
from s2i.cli.nouns import delete_options, delete_thing, path, project_option
from s2i.cli.output import emit, output_option, table


@click.group(cls=Group)
def job() -> None:
    """Jobs: code that runs once. `s2i deploy` makes and runs them.

    \b
    Example:  s2i job list
    """


@job.command("list")
@project_option
@output_option
def list_(project: str, output: str | None) -> None:
    """List the jobs of a project.

    \b
    Example:  s2i job list -o json
    """
    from s2i.cli.client import connect

    found = connect().call("GET", f"/v1/projects/{project}/jobs")
    if output:
        emit(found, output)
        return
    if not found:
        click.echo(f"no jobs in the project {project}", err=True)
        return
    table(("name", "source", "image"), [(one["name"], one["source"], one["image"][:19]) for one in found])


@job.command()
@delete_options
def delete(name: str, project: str, yes: bool) -> None:
    """Delete a job with its runs, their logs and its image.

    \b
    Example:  s2i job delete report --yes
    """
    delete_thing(
        path(project, "jobs", name),
        name,
        f"Delete the job {name} of the project {project}, with all its runs?",
        yes=yes,
    )
