"""`s2i top`: what runs, and what it uses."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from s2i.cli.output import emit, output_option, size, table

EVERY_SECONDS = 2.0


@click.command()
@click.option("--project", help="Only of this project [default: all].")
@click.option("--once", is_flag=True, help="Print it once, also on a terminal.")
@output_option
def top(project: str | None, once: bool, output: str | None) -> None:
    """Show what each instance and task uses now: CPU, memory, network; the most first. Ends with Ctrl-C.

    Where standard output is no terminal it is printed once.

    \b
    Example:  s2i top --project shop
    """
    from s2i.cli.client import connect

    client = connect()
    query = f"?project={project}" if project else ""
    goes_on = sys.stdout.isatty() and not (once or output)
    while True:
        found = client.call("GET", f"/v1/usage{query}")
        if output:
            emit(found, output)
            return
        if goes_on:
            click.clear()
        _show(found)
        if not goes_on:
            return
        time.sleep(EVERY_SECONDS)


def _show(found: list[dict[str, Any]]) -> None:
    if not found:
        click.echo("nothing runs, or not for long enough to be measured: see again in some seconds", err=True)
        return
    rows = [
        (
            one["project"],
            f"{one['kind']} {one['name']}",
            one["instance"],
            f"{one['cpu']:.1f}",
            size(one["memory"]),
            f"{size(one['received'])}/s",
            f"{size(one['sent'])}/s",
        )
        for one in sorted(found, key=lambda one: -float(one["cpu"]))
    ]
    table(("project", "what", "instance", "cpu %", "memory", "received", "sent"), rows)
