"""`s2i app stats`: what an app has used."""

from __future__ import annotations

from typing import Any

import click

from s2i.cli.nouns import path, project_option
from s2i.cli.output import emit, output_option, size, table, when

HOURS = 24


@click.command()
@click.argument("name")
@click.option("--hours", type=click.IntRange(1, 24 * 35), default=HOURS, show_default=True, help="The last so many.")
@project_option
@output_option
def stats(name: str, hours: int, project: str, output: str | None) -> None:
    """Show what an app used in each of the last hours: CPU, memory, network.

    \b
    Example:  s2i app stats shop --hours 48
    """
    from s2i.cli.client import connect

    client = connect()
    client.call("GET", path(project, "apps", name))
    found = client.call("GET", f"/v1/projects/{project}/usage?kind=app&name={name}")[-hours:]
    if output:
        emit(found, output)
        return
    if not found:
        click.echo("nothing of it has run that was measured", err=True)
        return
    table(("hour", "cpu seconds", "memory (mean)", "received", "sent"), [_row(one) for one in found])
    cpu, gb = sum(one["cpu"] for one in found), sum(one["memory"] for one in found) / 1e9 / 3600
    click.echo(f"in all: {cpu:.1f} s of a core, {gb:.2f} GB hours")


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    mean = size(round(one["memory"] / 3600))
    return when(one["hour"])[:16], f"{one['cpu']:.1f}", mean, size(one["received"]), size(one["sent"])
