"""Read the log of a build run: what was printed, step by step, while it goes on or afterwards."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from s2i.images.runs import shelf

POLL_SECONDS = 0.1
CHUNK = 1 << 20


def events(ident: str, *, follow: bool = False, start: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the events of the run ``ident`` from number ``start`` on; with ``follow`` until it has ended."""
    for line in itertools.islice(_lines(shelf.place() / ident, follow=follow), start, None):
        try:
            event = msgspec.json.decode(line)
        except msgspec.MsgspecError:  # a damaged line
            event = None
        yield event if isinstance(event, dict) else {}


def text(event: dict[str, Any], names: dict[object, str]) -> str | None:
    """Return an event as a line for people, unescaped; None for what is no line. ``names`` remembers the steps'."""
    match event.get("type"):
        case "notice":
            return f"note: {event.get('message', '')} ({event.get('code', '')})"
        case "truncated":
            return str(event.get("line", ""))
        case "step":
            return _step(event, names)
        case "error":
            return f"error: {event['error']['message']}".split("\n")[0]
        case _:
            return None


def _step(event: dict[str, Any], names: dict[object, str]) -> str | None:
    number = event.get("step")
    name = names.setdefault(number, str(event.get("name", "")))
    line = str(event.get("line", ""))
    match event.get("status"):
        case "started":
            return f"[{number}] {name}"
        case "log":
            return f"[{number}] | {line}"
        case "cached":
            return f"[{number}] cached"
        case "done":
            return f"[{number}] done in {event.get('seconds', 0.0):.1f} s"
        case "failed":
            return f"[{number}] FAILED: {line}"
        case _:
            return None


def _lines(folder: Path, *, follow: bool) -> Iterator[bytes]:
    rest = b""
    try:
        with (folder / shelf.EVENTS).open("rb") as file:
            while True:
                going = follow and shelf.held(folder)  # first: what is written before the end is read below
                while chunk := file.read(CHUNK):
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from whole
                if not going:
                    return
                time.sleep(POLL_SECONDS)
    except OSError:  # dropped meanwhile
        return
