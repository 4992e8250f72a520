"""`s2i audit`: who did what, and when."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from s2i.cli.output import emit, output_option, safe, table, when
from s2i.resources.names import project_name
from s2i.resources.people import span

TIMES = ("created", "expires", "deleted", "used")
SHOWN = 90  # characters of what changed, in a table


@click.command()
@click.option("--project", metavar="NAME", help="Only what was done in this project.")
@click.option("--since", metavar="SPAN", help="Only what is not older than this, as 12h or 30d.")
@click.option(
    "--tail", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="At most so many, the last."
)
@output_option
def audit(project: str | None, since: str | None, tail: int, output: str | None) -> None:
    """Show who did what, when and from where, also what was refused. Values of secrets are not in it.

    \b
    Example:  s2i audit --project shop --since 7d
    """
    from s2i.cli.client import connect

    begin = time.time() - span(since, "--since", "audit") if since else 0.0
    at = f"/v1/projects/{project_name(project)}/audit" if project else "/v1/audit"
    found = connect().call("GET", f"{at}?since={begin}&most={tail}")
    if output:
        emit(found, output)
    elif not found:
        click.echo("nothing was done", err=True)
    else:
        rows = [
            (
                when(one["at"]),
                one["who"],
                one["where"],
                one["verb"],
                _what(one),
                one["code"] or _done(one),
                _change(one),
            )
            for one in found
        ]
        table(("when", "who", "from", "what", "of", "outcome", "change"), rows)


def _done(one: dict[str, Any]) -> str:
    """Return the outcome of what was not refused: what becomes of a deployment, its app's events tell."""
    return "begun" if one["verb"] == "app deploy" else "done"


def _what(one: dict[str, Any]) -> str:
    return f"{one['project']}/{one['name']}" if one["project"] and one["name"] else one["project"] or one["name"]


def _change(one: dict[str, Any]) -> str:
    """Return what has become otherwise, for people: `limits.cpu 0 → 4`."""
    before, after = (dict(_leaves("", one[when_])) for when_ in ("before", "after"))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    parts = [
        f"{key} {before[key]} → {after.get(key, 'gone')}" if key in before else f"{key} {after[key]}" for key in keys
    ]
    text = safe(", ".join(parts))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _leaves(at: str, value: Any) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [leaf for key, one in value.items() for leaf in _leaves(f"{at}.{key}" if at else key, one)]
    if at.rpartition(".")[2] in TIMES and isinstance(value, float):
        return [(at, when(value) or "never")]
    return [(at, value if isinstance(value, str) else json.dumps(value))]
