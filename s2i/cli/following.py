"""Follow a deployment: from the server that does it, and the next one when that is killed."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, NoReturn

from s2i.cli.eventlines import EventLines
from s2i.cli.progress import Progress
from s2i.cli.selection import words_for
from s2i.errors import E_DELETED, E_NOT_FOUND, E_SERVER, E_SERVER_REMOTE, E_SERVER_STOPPED, S2IError
from s2i.resources.app import OPEN_DEPLOYMENT
from s2i.sources import Notice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from s2i.cli.client import Client

CANCEL_SECONDS = 15.0
RECONNECTS = (0.1, 0.5, 1.0)  # s before each: a server that was killed takes connections until all of it has ended


def follow(
    client: Client,
    path: str,
    begun: dict[str, Any],
    display: Progress | EventLines,
    notices: tuple[Notice, ...] = (),
) -> dict[str, Any]:
    """Show a deployment until it has ended, and return it then, with all notices of it as ``warnings``.

    Ctrl-C cancels it until it is proven, and leaves the roll-out after that.

    Raises E_SERVER_STOPPED when the server was stopped before that, E_DELETED when it was deleted.
    """
    building, jobrun, told_end = True, "", False
    told = [{"code": one.code, "message": one.message, "where": one.where} for one in notices]
    with _there(begun["name"]), display as progress:
        for notice in notices:
            progress.notice(notice)
        try:
            for event in _events(client, path):
                if event.get("type") == "notice":
                    told.append({name: event.get(name, "") for name in Notice.__struct_fields__})
                building = building and event.get("status") != "rolling-out"
                jobrun = event.get("jobrun") or jobrun
                told_end = event.get("type") in ("result", "error")
                progress.wire(event)
        except KeyboardInterrupt:
            status = _cancel(client, path) if building else "rolling-out"
            if status == "rolling-out":
                what = "run" if jobrun else "roll-out"
                progress.say(f"note   the {what} goes on without us: `{look(begun, jobrun)}`")
            elif status == "ready":
                progress.say(f"note   that was too late, it is deployed: `{look(begun, jobrun)}`")
            raise
    with _there(begun["name"]):
        found = _after(client, path, told_end=told_end)
    if found["status"] not in OPEN_DEPLOYMENT:
        # What is planned a second time says most of its notices twice.
        return {**found, "warnings": [one for number, one in enumerate(told) if one not in told[:number]]}
    if building:
        raise E_SERVER_STOPPED(name=begun["name"], doing="built", then="run the same command again")
    then = f"it goes on with the next server, which any command starts: `{look(begun, jobrun)}`"
    raise E_SERVER_STOPPED(name=begun["name"], doing="run" if jobrun else "rolled out", then=then)


@contextlib.contextmanager
def _there(name: str) -> Iterator[None]:
    """Say of a deployment that is no longer there what became of it: its record goes with its app or job."""
    try:
        yield
    except S2IError as error:
        if error.kind is E_NOT_FOUND:
            raise E_DELETED(name=name) from None
        raise


def _after(client: Client, path: str, *, told_end: bool) -> dict[str, Any]:
    """Return a deployment after its last event; as one that still goes on when the server has gone meanwhile.

    ``told_end``: it has ended, and a server that dies just then does not change that: the next one knows it.
    """
    from s2i.cli.client import connect

    try:
        found: dict[str, Any] = client.call("GET", path)
    except S2IError as error:
        if error.kind not in (E_SERVER, E_SERVER_REMOTE):
            raise
        if not told_end:
            return {"status": "rolling-out"}
        connect()
        found = client.call("GET", path)
    return found


def look(begun: dict[str, Any], jobrun: str) -> str:
    """Return the command that shows what became of a deployment."""
    what = f"jobrun get {jobrun}" if jobrun else f"app get {begun['name']}"
    return f"s2i {what}{words_for(begun['project'])}"


def _events(client: Client, path: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a deployment to its end, from one server and then the next when one is killed."""
    import json

    from s2i.cli.client import connect

    seen = 0
    for pause in (*RECONNECTS, None):
        try:
            for line in client.lines(f"{path}/events", start=seen):
                seen += 1
                yield json.loads(line)
        except S2IError as error:
            if error.kind not in (E_SERVER, E_SERVER_REMOTE) or pause is None:
                raise
            time.sleep(pause)
            connect()  # starts the next server; `client` talks to whoever has the socket
        else:
            return


def _cancel(client: Client, path: str) -> str:
    """Cancel a deployment, wait until nothing is at work for it, and return its status then."""
    status = str(client.call("POST", f"{path}/cancel")["status"])
    until = time.monotonic() + CANCEL_SECONDS
    with contextlib.suppress(KeyboardInterrupt):  # once is enough
        while status in OPEN_DEPLOYMENT and time.monotonic() < until:
            time.sleep(0.05)
            status = str(client.call("GET", path)["status"])
    return status


def fail(ended: dict[str, Any]) -> NoReturn:
    """Raise what a deployment ended with, as the server told it."""
    from s2i.cli.client import RemoteError

    raise RemoteError(ended["error"])
