"""The options that say how a job runs, and what they ask of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from s2i.resources import indices

F = TypeVar("F", bound=Callable[..., Any])

FIELDS = {
    "retrylimit": "retry_limit",
    "maxexecutiontime": "max_seconds",
    "retry_timeouts": "retry_timeouts",
    "mode": "mode",
    "parallelism": "parallelism",
}


def execution_options(command: F) -> F:
    """Add the options of how a run goes about its work."""
    for option in reversed(
        (
            click.option("--array-size", type=int, metavar="N", help="Run for the indices 0 to N-1 [default: 1]."),
            click.option("--array-indices", metavar="LIST", help="Run for these indices: 1-5,8."),
            click.option("--retrylimit", type=int, metavar="N", help="Attempts more for what fails [default: 3]."),
            click.option("--maxexecutiontime", type=float, metavar="SECONDS", help="End it then [default: 7200]."),
            click.option(
                "--retry-timeouts/--no-retry-timeouts", default=None, help="Try again what took too long [default: no]."
            ),
            click.option(
                "--mode",
                type=click.Choice(["task", "daemon"]),
                help="To its end, or started anew for ever [default: task].",
            ),
            click.option(
                "--parallelism", type=int, metavar="N", help="Indices at once; 0: as there is room [default: 0]."
            ),
        )
    ):
        command = option(command)
    return command


def execution_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of an Execution that the options name. Raises E_VALUE."""
    found = {field: given[name] for name, field in FIELDS.items() if given.get(name) is not None}
    if given.get("array_size") is not None:
        found["size"] = given["array_size"]
        if given.get("array_indices") is None:
            found |= {"array": indices.of_size(given["array_size"]), "size": 0}
    if given.get("array_indices") is not None:
        found["array"] = indices.written(indices.parse(given["array_indices"]))
    return found


def keep_options(command: F) -> F:
    """Add the options of how long runs are kept."""
    days = click.option("--keep-days", type=float, metavar="DAYS", help="Forget runs that ended before; 0: never.")
    runs = click.option("--keep-runs", type=int, metavar="N", help="Keep so many runs that have ended [default: 100].")
    return runs(days(command))


def keep_of(given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a Keep that the options name."""
    found = {"runs": given.get("keep_runs"), "days": given.get("keep_days")}
    return {name: value for name, value in found.items() if value is not None}
