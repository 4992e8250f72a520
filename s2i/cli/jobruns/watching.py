"""Wait for a job run, and show how far it is."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from s2i.cli.masked import told
from s2i.cli.output import count, emit, safe
from s2i.errors import E_JOB_FAILED

if TYPE_CHECKING:
    from s2i.cli.client import Client

LOOK_LEAST, LOOK_MOST = 0.1, 1.0  # s between two looks; the longer it has run, the longer
LINE_SECONDS = 15.0  # between two lines where no terminal can be written over
OPEN = ("pending", "running")
SHOWN = 10  # indices that failed


def watch(client: Client, at: str, found: dict[str, Any], *, show: bool) -> dict[str, Any]:
    """Return the run at ``at`` when it has ended; on the way say how far it is, on standard error.

    Raises KeyboardInterrupt: the run goes on then, and that is said.
    """
    began, said, last = time.monotonic(), "", 0.0
    terminal = sys.stderr.isatty()
    try:
        while found["status"] in OPEN:
            took = time.monotonic() - began
            text = progress(found, took)
            due = terminal or took - last >= LINE_SECONDS or not said
            if show and due and text != said:
                click.echo(f"\r\x1b[K{text}" if terminal else text, err=True, nl=not terminal)
                said, last = text, took
            time.sleep(min(max(took / 20, LOOK_LEAST), LOOK_MOST))
            found = client.call("GET", at)
    except KeyboardInterrupt:
        name, project = found["name"], found["project"]
        goes = f"it goes on: `s2i jobrun get {name} --project {project}`; `s2i jobrun cancel {name}` ends it"
        click.echo(f"\n{goes}" if terminal else goes, err=True)
        raise
    finally:
        if show and terminal and said:
            click.echo("\r\x1b[K", err=True, nl=False)
    return found


def progress(found: dict[str, Any], took: float) -> str:
    """Return how far a run is: "12 of 50 done, 4 running, 1 failed, about 2 min left"."""
    counts = found["counts"]
    total = sum(counts.values())
    over = total - sum(counts.get(status, 0) for status in OPEN)
    parts = [f"{found['name']}: {over} of {total} done", f"{counts.get('running', 0)} running"]
    if bad := over - counts.get("succeeded", 0):
        parts.append(f"{bad} failed")
    if found.get("waits"):
        parts.append(f"waits: {found['waits']}")
    if 0 < over < total:
        parts.append(f"about {_span(took / over * (total - over))} left")
    return ", ".join(parts)


def ended(found: dict[str, Any], output: str | None) -> None:
    """Print how a run ended. Raises E_JOB_FAILED when not all of its indices succeeded."""
    if output:
        emit(told(found), output)
    else:
        click.echo(outcome(found))
    if found["status"] != "succeeded":
        raise E_JOB_FAILED(run=found["name"], why=_why(found))


def outcome(found: dict[str, Any]) -> str:
    """Return how a run ended, a line, and one for each of the first indices that did not succeed."""
    took = f" in {_span(found['finished'] - found['started'])}" if found["started"] and found["finished"] else ""
    tasks = found["tasks"]
    lines = [f"{found['name']}: {found['status']}, {_counted(found['counts'])}{took}"]
    bad = [task for task in tasks if task["status"] not in ("succeeded", *OPEN)]
    for task in bad[:SHOWN] if len(tasks) > 1 else ():
        tries = count(task["attempts"], "attempt")
        lines.append(f"  index {task['index']}: {task['status']} after {tries}: {safe(task['reason']) or '-'}")
    if len(bad) > SHOWN and len(tasks) > 1:
        lines.append(f"  and {len(bad) - SHOWN} more: `s2i jobrun get {found['name']}`")
    return "\n".join(lines)


def _counted(counts: dict[str, int]) -> str:
    total = sum(counts.values())
    if total == 1:
        return "1 task"
    return f"{counts.get('succeeded', 0)} of {total} tasks succeeded"


def _why(found: dict[str, Any]) -> str:
    if len(found["tasks"]) == 1:
        return str(found["reason"] or found["status"])
    bad = [str(task["index"]) for task in found["tasks"] if task["status"] != "succeeded"]
    named = ", ".join(bad[:SHOWN]) + (" ..." if len(bad) > SHOWN else "")
    return f"{len(bad)} of {len(found['tasks'])} indices did not succeed: {named}"


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
