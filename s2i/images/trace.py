"""What BuildKit tells over the engine's API (``moby.buildkit.trace``): protocol buffers, as plain fields.

Only what the progress needs of message StatusResponse, api/services/control/control.proto of moby/buildkit; unknown
fields are passed over, as the format wants it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from s2i.images.progress import Log, Status, Vertex

Fields = dict[int, list[int | bytes]]


def status(data: bytes) -> Status:
    """Return the status that ``data`` holds. Raises ValueError for what is no such message."""
    fields = _fields(data)
    return Status(
        vertexes=tuple(_vertex(_fields(part)) for part in _bytes(fields, 1)),
        logs=tuple(_log(_fields(part)) for part in _bytes(fields, 3)),
    )


def _vertex(fields: Fields) -> Vertex:
    return Vertex(
        digest=_text(fields, 1),
        name=_text(fields, 3),
        cached=bool(fields.get(4, [0])[-1]),
        started=_time(fields, 5),
        completed=_time(fields, 6),
        error=_text(fields, 7),
    )


def _log(fields: Fields) -> Log:
    return Log(vertex=_text(fields, 1), timestamp=_time(fields, 2), data=b"".join(_bytes(fields, 4)))


def _time(fields: Fields, number: int) -> datetime.datetime | None:
    found = list(_bytes(fields, number))
    if not found:
        return None
    seconds, nanos = (next(_numbers(_fields(found[-1]), part), 0) for part in (1, 2))
    return datetime.datetime.fromtimestamp(seconds + nanos / 1e9, datetime.UTC)


def _text(fields: Fields, number: int) -> str:
    return b"".join(_bytes(fields, number)).decode(errors="replace")


def _bytes(fields: Fields, number: int) -> Iterator[bytes]:
    yield from (value for value in fields.get(number, ()) if isinstance(value, bytes))


def _numbers(fields: Fields, number: int) -> Iterator[int]:
    yield from (value for value in fields.get(number, ()) if isinstance(value, int))


def _fields(data: bytes) -> Fields:
    """Split one message into its fields: number -> values, in their order."""
    found: Fields = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        value: int | bytes
        match key & 7:
            case 0:
                value, at = _varint(data, at)
            case 1 | 5 as wire:
                size = 8 if wire == 1 else 4
                value, at = data[at : at + size], at + size
            case 2:
                size, at = _varint(data, at)
                value, at = data[at : at + size], at + size
            case wire:
                raise ValueError(f"no such wire type: {wire}")
        if at > len(data):
            raise ValueError("the message ends within a field")
        found.setdefault(key >> 3, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number has no end")
