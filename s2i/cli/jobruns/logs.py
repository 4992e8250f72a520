"""`s2i jobrun logs`: what the tasks of a run wrote."""

from __future__ import annotations

import json

import click

from s2i.cli.loglines import Prefixes
from s2i.cli.nouns import log_options, path, project_option
from s2i.cli.output import json_line, safe


@click.command()
@click.argument("name")
@project_option
@log_options
@click.option("--index", type=click.IntRange(0), help="Only of this index.")
@click.option("--attempt", type=click.IntRange(1), help="Only of this attempt of --index, the first is 1.")
@click.option("-o", "--output", type=click.Choice(["json"]), help="Print a JSON object a line.")
def logs(
    name: str, project: str, follow: bool, tail: int | None, index: int | None, attempt: int | None, output: str | None
) -> None:
    """Print what a job run wrote, all attempts of all indices in the order of time; it is kept when it has ended.

    Where there are several, each line begins with its index and attempt: 7.1 is the first attempt of index 7.
    Followed, it goes on until the run ends.

    \b
    Example:  s2i jobrun logs report-1
              s2i jobrun logs report-1 -f --index 7
    """
    from s2i.cli.client import connect

    if attempt and index is None:
        raise click.UsageError("--attempt is one of an index: name that with --index")
    at = path(project, "jobruns", name)
    instance = "" if index is None else f"{index}-{attempt - 1}" if attempt else f"{index}"
    client = connect()
    many = len(client.call("GET", at)["tasks"]) > 1 and not attempt
    lines = iter(client.lines(f"{at}/logs", follow=follow, tail=tail, instance=instance))
    head = json.loads(next(lines))
    if not head["instances"] and not follow:
        click.echo("it has written nothing yet", err=True)
    prefixes = Prefixes() if many or len(head["instances"]) > 1 else None
    for line in lines:
        if output:
            click.echo(json_line(line))
            continue
        said = json.loads(line)
        click.echo((prefixes.of(_named(said["instance"])) if prefixes else "") + safe(said["line"]))


def _named(instance: str) -> str:
    """Return an attempt as people count: "7-0" is "7.1"."""
    index, _, number = instance.partition("-")
    return f"{index}.{int(number) + 1}" if number.isdecimal() else instance
