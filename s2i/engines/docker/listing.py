"""From the engine's list of containers to Observed."""

from __future__ import annotations

import datetime
import re
from typing import Any

import msgspec

from s2i.engines.engine import Observed, Owner, State
from s2i.resources import labels

_STATES: dict[str, State] = {"created": "created", "running": "running", "restarting": "running", "paused": "running"}
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def observed(row: dict[str, Any]) -> Observed | None:
    """Return one row of ``GET /containers/json``, or None when its labels are not those of a container of ours."""
    tags = row["Labels"]
    owner = _owner(tags)
    if owner is None or tags.get(labels.ROLE) not in ("sandbox", "instance", "task"):
        return None
    state = _STATES.get(row["State"], "exited")
    return Observed(
        row["Id"],
        tags[labels.ROLE],
        owner,
        state,
        address=address(row["NetworkSettings"], tags) if state == "running" else "",
        started=0.0 if state == "created" else float(row["Created"]),
    )


def ended(one: Observed, details: dict[str, Any]) -> Observed:
    """Return ``one`` with what only the container's details say: exit status, out of memory, times."""
    state = details["State"]
    return msgspec.structs.replace(
        one,
        exit=state["ExitCode"],
        oom=state["OOMKilled"],
        started=epoch(state["StartedAt"]),
        finished=epoch(state["FinishedAt"]),
    )


def address(settings: dict[str, Any], tags: dict[str, str]) -> str:
    """Return "ip:port" of a sandbox by its network settings and labels, "" for any other container."""
    if tags.get(labels.ROLE) != "sandbox":
        return ""
    for network in settings["Networks"].values():
        if network["IPAddress"]:
            return f"{network['IPAddress']}:{tags.get(labels.PORT, '')}"
    return ""


def epoch(text: str) -> float:
    """Return the engine's time (RFC 3339 with nanoseconds) in epoch seconds, 0.0 for its "never"."""
    found = _TIME.fullmatch(text)
    if not found or text.startswith("0001-"):
        return 0.0
    zone = "+00:00" if found[3] == "Z" else found[3]
    return datetime.datetime.fromisoformat(f"{found[1]}{zone}").timestamp() + float(found[2] or 0)


def _owner(tags: dict[str, str]) -> Owner | None:
    project, instance = tags.get(labels.PROJECT, ""), tags.get(labels.INSTANCE, "")
    if tags.get(labels.APP):
        number = tags.get(labels.REVISION, "")
        return Owner(project, "app", tags[labels.APP], int(number) if number.isdecimal() else 0, "", instance)
    if tags.get(labels.JOB):
        return Owner(project, "job", tags[labels.JOB], 0, tags.get(labels.RUN, ""), instance)
    return None
