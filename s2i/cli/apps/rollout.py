"""`s2i app restart|rollback`: roll out once more what was built before."""

from __future__ import annotations

import click

from s2i.cli.apps.revision import number_of
from s2i.cli.following import fail, follow
from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option
from s2i.cli.progress import progress_option, shown


@click.command()
@click.argument("name")
@project_option
@progress_option
@output_option
def restart(name: str, project: str, progress: str, output: str | None) -> None:
    """Replace all instances of an app by new ones of the same image and settings. No request fails by it.

    \b
    Example:  s2i app restart shop
    """
    _rolled_out(name, project, "restart", None, progress, output)


@click.command()
@click.argument("name")
@click.argument("revision", required=False)
@project_option
@progress_option
@output_option
def rollback(name: str, revision: str | None, project: str, progress: str, output: str | None) -> None:
    """Go back to the image and settings of REVISION, as a new revision [default: what served before].

    \b
    Example:  s2i app rollback shop r3
    """
    number = number_of(revision, "app rollback") if revision is not None else 0
    _rolled_out(name, project, "rollback", {"revision": number}, progress, output)


def _rolled_out(
    name: str, project: str, verb: str, body: dict[str, int] | None, progress: str, output: str | None
) -> None:
    from s2i.cli.client import connect

    client = connect()
    begun = client.call("POST", f"{path(project, 'apps', name)}/{verb}", body)
    at = f"/v1/projects/{project}/deployments/{begun['id']}"
    ended = follow(client, at, begun, shown(progress, output))
    if output:
        emit(ended, output)
    elif ended["result"]:
        click.echo(ended["result"])
    if ended["error"]:
        fail(ended)
