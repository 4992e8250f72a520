"""What a container wrote, from the engine's stream of frames to lines."""

from __future__ import annotations

import calendar
import threading
import time
from collections.abc import Iterable, Iterator

from s2i.engines.docker import connection
from s2i.engines.engine import Line
from s2i.errors import E_CONTAINER, E_DOCKER
from s2i.wire import Refused, Stream, Wire

LINE_LIMIT = 256 << 10  # bytes; a longer line is cut into lines
FRAME_LIMIT = 1 << 20  # bytes; the engine's own are 16 KiB and a time
_HEAD = 8  # bytes: which stream, three of nothing, how long
_ENGINES_OWN = 3  # the stream in which the engine says that it cannot go on


class Output:
    """The lines of one container, each as soon as it is there; to be read once. A container that is gone has none.

    Raises E_CONTAINER, E_DOCKER.
    """

    def __init__(
        self, wire: Wire, container: str, *, follow: bool = False, tail: int | None = None, since: str = ""
    ) -> None:
        self._wire, self._container = wire, container
        self._query = {"stdout": "1", "stderr": "1", "timestamps": "1", "follow": str(int(follow))}
        self._query |= {"tail": "all" if tail is None else str(tail)}
        self._query |= {"since": _epoch(since)} if since else {}
        self._lock = threading.Lock()
        self._closed = False
        self._stream: Stream | None = None

    def __iter__(self) -> Iterator[Line]:
        try:
            with self._wire.stream("GET", f"/containers/{self._container}/logs", self._query) as stream:
                with self._lock:
                    if self._closed:
                        return
                    self._stream = stream
                yield from lines(frames(stream.pieces()))
        except Refused as refusal:
            if refusal.status != 404:
                raise E_CONTAINER(name=self._container, why=refusal) from None
        except OSError as error:
            if not self._closed:
                raise E_DOCKER(socket=connection.host(), why=f"it stopped answering: {error}") from None

    def close(self) -> None:
        """End the lines; from any thread."""
        with self._lock:
            self._closed = True
            if self._stream:
                self._stream.end()


def frames(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield the frames that a stream in any pieces is made of: which output, and what was written at once.

    Raises OSError for what is no such stream.
    """
    rest = b""
    for piece in pieces:
        data = rest + piece if rest else piece
        start = 0
        while len(data) - start >= _HEAD:
            body = start + _HEAD
            size = int.from_bytes(data[start + 4 : body], "big")
            if size > FRAME_LIMIT:
                raise OSError(f"a frame of {size} bytes")
            if len(data) - body < size:
                break
            yield data[start], data[body : body + size]
            start = body + size
        rest = data[start:]


def lines(found: Iterable[tuple[int, bytes]]) -> Iterator[Line]:
    """Join frames, each of which begins with its time, to lines: the engine cuts a line into parts of 16 KiB."""
    begun: dict[int, tuple[str, bytearray]] = {}
    for stream, frame in found:
        if stream == _ENGINES_OWN:
            continue
        stamp, _, text = frame.partition(b" ")
        whole = text.endswith(b"\n")
        if stream not in begun and whole:
            yield Line(stamp.decode("ascii", "replace"), text[:-1], stream)
            continue
        at, parts = begun.setdefault(stream, (stamp.decode("ascii", "replace"), bytearray()))
        parts += text
        if whole or len(parts) >= LINE_LIMIT:
            del begun[stream]
            yield Line(at, bytes(parts[:-1] if whole else parts), stream, not whole)
    for stream, (at, parts) in begun.items():
        yield Line(at, bytes(parts), stream, cut=True)


def _epoch(stamp: str) -> str:
    """Return the engine's time as it wants it back: epoch seconds to the nanosecond."""
    return f"{calendar.timegm(time.strptime(stamp[:19], '%Y-%m-%dT%H:%M:%S'))}.{stamp[20:29]}"
