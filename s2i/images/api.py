"""Build through the engine's own HTTP API: no client to start, no session to open.

For builds of which every layer but the last ones is there: without a session a step that mounts a secret cannot run.
The whole context is sent each time, so it has to be small.
"""

from __future__ import annotations

import io
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from s2i import shell
from s2i.images import trace
from s2i.images.command import Order
from s2i.images.context import SOURCE
from s2i.images.events import StepEvent
from s2i.images.log import readable
from s2i.images.progress import RawReader
from s2i.images.steps import StepNames
from s2i.sources import Tree
from s2i.sources.tree import GROWTH, STAGED_TIME
from s2i.wire import Refused, Stream, Wire

if TYPE_CHECKING:
    import tarfile

CONTEXT_LIMIT = 20 << 20  # bytes of the source; more are better sent by a client, which sends only what changed
TICK_SECONDS = 0.1
NO_SESSION = "no active session"
_HEADERS = {"Content-Type": "application/x-tar"}


def fits(tree: Tree) -> bool:
    """Say whether the source is small enough to be sent whole."""
    return sum(entry.size for entry in tree.files) <= CONTEXT_LIMIT


def context(tree: Tree, dockerfile: str) -> bytes:
    """Return the archive that the engine gets: the files of ``tree`` as Tree.stage writes them, the Dockerfile.

    Raises as Tree.read does.
    """
    import tarfile

    time = tree.origin.time or STAGED_TIME
    held = io.BytesIO()
    # Not tarfile's default: the engine takes a leading PAX header for the text of a Dockerfile.
    with tarfile.open(fileobj=held, mode="w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, "Dockerfile", dockerfile.encode(), 0o644, time)
        for folder in _folders(tree):
            about = tarfile.TarInfo(folder)
            about.type, about.mode, about.mtime = tarfile.DIRTYPE, 0o755, time
            archive.addfile(about)
        for entry in tree.files:
            data = tree.read(entry.path, entry.size + GROWTH)
            _add(archive, f"{SOURCE}/{entry.path}", data, 0o755 if entry.executable else 0o644, time)
    return held.getvalue()


def query(order: Order, epoch: int) -> dict[str, str | tuple[str, ...]]:
    """Return the parameters of POST /build for ``order``; ``epoch`` is the source's time."""
    arguments = {"SOURCE_DATE_EPOCH": str(epoch), **dict(order.marks)}
    if order.namespace:
        arguments["BUILDKIT_CACHE_MOUNT_NS"] = order.namespace
    return {
        "version": "2",
        "dockerfile": "Dockerfile",
        "networkmode": "default",
        "labels": _json(dict(order.labels)),
        "buildargs": _json(arguments),
        "t": order.tags,
        "extrahosts": (f"{order.salt}:127.0.0.1",) if order.salt else (),
    }


def follow(
    engine: Wire,
    parameters: dict[str, str | tuple[str, ...]],
    archive: bytes,
    on_line: Callable[[bytes], None],
    *,
    timeout: float,
    cancelled: threading.Event | None,
) -> None:
    """Build, and hand each line of the engine's answer to ``on_line``; as stream does it."""
    stream(engine, "/build", parameters, archive, _HEADERS, on_line, timeout=timeout, cancelled=cancelled)


def stream(
    engine: Wire,
    path: str,
    parameters: Mapping[str, str | tuple[str, ...]],
    body: bytes,
    headers: Mapping[str, str],
    on_line: Callable[[bytes], None],
    *,
    timeout: float,
    cancelled: threading.Event | None,
) -> None:
    """POST, and hand each line of the engine's answer to ``on_line``; returns early when ``cancelled`` is set.

    Raises shell.TimedOut, and Refused, OSError when the engine gives up.
    """
    deadline = time.monotonic() + timeout
    said: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
    with engine.stream("POST", path, parameters, body, headers) as answer:
        reader = threading.Thread(target=_read, args=(answer, said), daemon=True)
        reader.start()
        try:
            while not (cancelled is not None and cancelled.is_set()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise shell.TimedOut(f"{path} ran longer than {timeout:g} s")
                try:
                    line = said.get(timeout=min(TICK_SECONDS, left))
                except queue.Empty:
                    continue
                if line is None:
                    return
                if isinstance(line, Exception):
                    raise line
                on_line(line)
        finally:
            answer.end()  # whatever runs for it ends with the connection
            reader.join()


class ApiReader(RawReader):
    """Reads what the engine's API streams: one JSON object a line. ``image`` is the ID of what was made, "" for none.

    ``unfit``: a step needed a session; nothing is told of it. ``whole``: the engine came to an end, good or bad.
    """

    def __init__(self, names: StepNames) -> None:
        super().__init__(names)
        self.image = ""
        self.unfit = False
        self.error = ""

    @property
    def whole(self) -> bool:
        return bool(self.image or self.error or self.log.failed)

    def feed(self, line: bytes) -> Iterator[StepEvent]:
        row = msgspec.json.decode(line, type=_Row)
        if row.id == "moby.buildkit.trace":
            status = trace.status(msgspec.json.decode(row.aux, type=bytes))
            self.unfit = self.unfit or any(NO_SESSION in vertex.error for vertex in status.vertexes)
            if not self.unfit:
                yield from self.take(status)
        elif row.id == "moby.image.id":
            self.image = msgspec.json.decode(row.aux, type=_Identity).ID
        elif row.error:
            self.unfit = self.unfit or NO_SESSION in row.error
            self.error = readable(row.error)
            self.log.remark(self.error)


class _Row(msgspec.Struct):
    id: str = ""
    aux: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


class _Identity(msgspec.Struct):
    ID: str


def _json(value: dict[str, str]) -> str:
    return msgspec.json.encode(value).decode()


def _read(answer: Stream, into: queue.SimpleQueue[bytes | Exception | None]) -> None:
    try:
        for line in answer.lines():
            into.put(line)
        into.put(None)
    except (OSError, Refused) as error:
        into.put(error)


def _add(archive: tarfile.TarFile, name: str, data: bytes, mode: int, time: int) -> None:
    about = archive.tarinfo(name)
    about.size, about.mode, about.mtime = len(data), mode, time
    archive.addfile(about, io.BytesIO(data))


def _folders(tree: Tree) -> tuple[str, ...]:
    found = {SOURCE}
    for entry in tree.files:
        parent = entry.path.rpartition("/")[0]
        while parent and f"{SOURCE}/{parent}" not in found:
            found.add(f"{SOURCE}/{parent}")
            parent = parent.rpartition("/")[0]
    return tuple(sorted(found))
