"""BuildKit's statuses as the engine's API carries them."""

from __future__ import annotations

import base64
import datetime
import json
from typing import Any

import pytest

from s2i.images import trace
from s2i.images.api import ApiReader
from s2i.images.progress import Log, Status, Vertex
from s2i.images.steps import StepNames

MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=datetime.UTC)
NAMES = StepNames("FROM base:1\n# Install\nRUN uv sync\n")
STEP = "[2/2] RUN uv sync"


def number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def field(key: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return number(key << 3) + number(value)
    data = value.encode() if isinstance(value, str) else value
    return number(key << 3 | 2) + number(len(data)) + data


def moment(key: int, seconds: float = 0) -> bytes:
    stamp = MOMENT.timestamp() + seconds
    return field(key, field(1, int(stamp)) + field(2, round(stamp % 1 * 1e9)))


def vertex(*parts: bytes) -> bytes:
    return field(1, field(1, "sha256:a") + field(3, STEP) + b"".join(parts))


def test_a_status_is_read_whole_and_what_is_unknown_passed_over() -> None:
    unknown = field(99, "later") + number(98 << 3 | 5) + b"1234" + number(97 << 3 | 1) + b"12345678"
    log = field(3, field(1, "sha256:a") + moment(2) + field(3, 1) + field(4, b"one\ntwo"))
    data = vertex(field(4, 1), moment(5), moment(6, 1), field(7, "no"), unknown) + unknown + log
    assert trace.status(data) == Status(
        (Vertex("sha256:a", STEP, MOMENT, MOMENT + datetime.timedelta(seconds=1), cached=True, error="no"),),
        (Log("sha256:a", b"one\ntwo", MOMENT),),
    )


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05ab", b"\x0b", b"\xff" * 20])
def test_what_is_no_status_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"the message ends|no end|no such wire type"):
        trace.status(data)


def line(**row: Any) -> bytes:
    return json.dumps(row).encode() + b"\r\n"


def told(status: bytes) -> bytes:
    return line(id="moby.buildkit.trace", aux=base64.b64encode(status).decode())


def test_the_engines_answer_gives_the_same_events_as_a_client() -> None:
    reader = ApiReader(NAMES)
    lines = (
        told(vertex(moment(5))),
        told(vertex(moment(5), moment(6, 2))),
        line(id="moby.image.id", aux={"ID": "sha256:i"}),
    )
    events = [event for row in lines for event in reader.feed(row)]
    assert [(event.status, event.name, event.seconds) for event in events] == [
        ("started", "Install", 0),
        ("done", "Install", 2),
    ]
    assert (reader.image, reader.unfit) == ("sha256:i", False)


def test_a_step_that_needs_a_session_is_no_failure_but_asks_for_a_client() -> None:
    reader = ApiReader(NAMES)
    rows = (told(vertex(moment(5), moment(6, 2), field(7, "no active sessions"))), line(error="no active sessions"))
    assert [event for row in rows for event in reader.feed(row)] == []
    assert (reader.image, reader.unfit) == ("", True)
