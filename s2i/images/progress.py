"""From what a builder prints to StepEvents. Pure: lines in, events out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec

from s2i.images.events import StepEvent
from s2i.images.log import LINE_LIMIT, BuildLog, readable
from s2i.images.steps import StepNames
from s2i.patterns import lazily

STATUS_LIMIT = 16 << 20  # bytes of one JSON status
_PLAIN = lazily(r"#(\d+) (.*)", re.DOTALL)
_SHA = lazily(r"sha256:[0-9a-f]{64}")
_LOG = lazily(r"(\d+\.\d+) ?(.*)", re.DOTALL)
_SENT = lazily(r"transferring context: (\d+(?:\.\d+)?)([kMGT]?)B.*")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
LOUD_BYTES = 1_000_000  # what moves less is over before anybody could ask
_DONE = lazily(r"DONE (\d+\.\d+)s")
_TRANSFER = lazily(r"(transferring|exporting|writing|naming|resolve|extracting|preparing|sha256:).*", re.DOTALL)
_ENDED_FOR_ANOTHER = "context canceled"


class Reader(Protocol):
    """Reads the output of one kind of builder. ``log`` is what is left of it at its end."""

    log: BuildLog

    def feed(self, line: bytes) -> Iterator[StepEvent]:
        """Take one line, yield the events that it completes."""


class _Cached:
    """Puts the steps that were found in the cache in the order of the Dockerfile: BuildKit tells of them in any.

    ``place``: from a step's id to where the Dockerfile has it.
    """

    def __init__(self, place: Callable[[str], tuple[int, int]]) -> None:
        self._place = place
        self._held: list[StepEvent] = []

    def sorted(self, events: Iterable[StepEvent]) -> Iterator[StepEvent]:
        """Yield events as they come, but those of the cache together, before something else says or ends anything."""
        for event in events:
            if event.status == "cached":
                self._held.append(event)
                continue
            if event.status in ("log", "done", "failed"):
                held, self._held = self._held, []
                yield from sorted(held, key=lambda one: self._place(one.step))
            yield event


class PlainReader:
    """Reads ``--progress=plain``: ``#7 [build 3/5] RUN ...``, ``#7 0.15 a line``, ``#7 DONE 2.1s``."""

    def __init__(self, names: StepNames) -> None:
        self.log = BuildLog()
        self._names = names
        self._vertices: dict[str, str] = {}  # number -> vertex
        self._cached = _Cached(lambda number: names.place(self._vertices[number]))
        self._ended: set[str] = set()
        self._bytes: dict[str, int] = {}  # number -> what it moved so far, when that is much

    def feed(self, line: bytes) -> Iterator[StepEvent]:
        text = line.decode(errors="replace").rstrip("\n")
        found = _PLAIN.fullmatch(text)
        if found:
            yield from self.log.note(self._cached.sorted(self._step(found[1], found[2])))
        elif not text.startswith(("---", " > ")):
            self.log.remark(text)

    def _step(self, number: str, rest: str) -> Iterator[StepEvent]:
        vertex = self._vertices.get(number)
        if vertex is None:
            self._vertices[number] = rest
            if name := self._names.name(rest):
                yield StepEvent("started", number, name)
            return
        name = self._names.name(vertex)
        if sent := _SENT.fullmatch(rest):
            yield from self._sent(number, vertex, int(float(sent[1]) * _UNITS[sent[2]]))
        elif number in self._bytes and (done := _DONE.fullmatch(rest)):
            yield StepEvent("done", number, self._names.transfer(vertex), float(done[1]), bytes=self._bytes[number])
        elif rest.startswith("ERROR: ") and _ENDED_FOR_ANOTHER not in rest:
            yield StepEvent("failed", number, self._names.failed(vertex), line=readable(rest.removeprefix("ERROR: ")))
        elif not name or rest == vertex or _SHA.fullmatch(rest) or number in self._ended:
            pass  # a vertex is announced again when its output goes on, and told to be cached after its end
        elif rest == "CACHED":
            self._ended.add(number)
            yield StepEvent("cached", number, name)
        elif done := _DONE.fullmatch(rest):
            self._ended.add(number)
            yield StepEvent("done", number, name, float(done[1]))
        elif log := _LOG.fullmatch(rest):
            yield StepEvent("log", number, name, float(log[1]), readable(log[2]))
        elif not _TRANSFER.fullmatch(rest) and rest != "CANCELED":
            yield StepEvent("log", number, name, line=readable(rest))

    def _sent(self, number: str, vertex: str, count: int) -> Iterator[StepEvent]:
        name = self._names.transfer(vertex)
        if count >= LOUD_BYTES and name:
            if number not in self._bytes:
                yield StepEvent("started", number, name)
            self._bytes[number] = count
            yield StepEvent("progress", number, name, bytes=count)


class Vertex(msgspec.Struct):
    """One step as BuildKit knows it."""

    digest: str
    name: str = ""
    started: datetime.datetime | None = None
    completed: datetime.datetime | None = None
    cached: bool = False
    error: str = ""


class Log(msgspec.Struct):
    """Some bytes that a step printed: not whole lines."""

    vertex: str
    data: bytes = b""
    timestamp: datetime.datetime | None = None


class Moved(msgspec.Struct):
    """How much of a part a step has moved: of the context, of a layer."""

    vertex: str
    id: str = ""
    name: str = ""
    current: int = 0
    total: int = 0


class Status(msgspec.Struct):
    """What happened since the last one."""

    vertexes: tuple[Vertex, ...] = ()
    logs: tuple[Log, ...] = ()
    statuses: tuple[Moved, ...] = ()


class RawReader:
    """Reads ``--progress=rawjson``: one status a line, or indented over many (buildx before 0.15)."""

    def __init__(self, names: StepNames) -> None:
        self.log = BuildLog()
        self._names = names
        self._held = bytearray()
        self._vertices: dict[str, Vertex] = {}
        self._cached = _Cached(lambda digest: names.place(self._vertices[digest].name))
        self._ended: set[str] = set()
        self._rest: dict[str, bytes] = {}  # digest -> the beginning of a line: a piece may end within a letter
        self._moved: dict[str, dict[str, Moved]] = {}  # digest -> the parts that it moves: the context, a layer
        self._loud: set[str] = set()  # digests of those that move much

    def feed(self, line: bytes) -> Iterator[StepEvent]:
        if not self._held and not line.startswith(b"{"):
            self.log.remark(line.decode(errors="replace"))
            return
        # A status may come in pieces: no line end within JSON means anything.
        self._held += line.rstrip(b"\n")
        indented = bytes(self._held[1:2]) in (b" ", b"")
        if (line.rstrip() == b"}") if indented else line.rstrip().endswith(b"}"):
            try:
                status = msgspec.json.decode(bytes(self._held), type=Status)
            except msgspec.MsgspecError:
                pass  # not the end yet
            else:
                self._held.clear()
                yield from self.take(status)
        if len(self._held) > STATUS_LIMIT:
            self._held.clear()

    def take(self, status: Status) -> Iterator[StepEvent]:
        """Take one status, yield the events that it completes."""
        yield from self.log.note(self._cached.sorted(self._events(status)))

    def _events(self, status: Status) -> Iterator[StepEvent]:
        """Yield the starts that a status tells of, then the lines, then the ends."""
        for vertex in status.vertexes:
            known = self._vertices.get(vertex.digest)
            self._vertices[vertex.digest] = vertex
            name = self._names.name(vertex.name)
            if name and vertex.started and not (known and known.started):
                yield StepEvent("started", vertex.digest, name)
        for digest in dict.fromkeys(self._note(moved) for moved in status.statuses):
            yield from self._progress(digest)
        for log in status.logs:
            yield from self._lines(log)
        for vertex in status.vertexes:
            if vertex.completed and vertex.digest not in self._ended:
                self._ended.add(vertex.digest)
                yield from self._end(vertex, vertex.completed)

    def _note(self, moved: Moved) -> str:
        # What is unpacked was counted when it was moved.
        if moved.name != "extracting":
            self._moved.setdefault(moved.vertex, {})[moved.id] = moved
        return moved.vertex

    def _sum(self, digest: str) -> tuple[int, int]:
        parts = self._moved.get(digest, {}).values()
        return sum(part.current for part in parts), sum(part.total for part in parts)

    def _progress(self, digest: str) -> Iterator[StepEvent]:
        vertex, (count, total) = self._vertices.get(digest), self._sum(digest)
        name = self._names.transfer(vertex.name) if vertex else ""
        if count < LOUD_BYTES or not vertex or not name or digest in self._ended:
            return
        if digest not in self._loud and not self._names.name(vertex.name):
            yield StepEvent("started", digest, name)
        self._loud.add(digest)
        yield StepEvent("progress", digest, name, bytes=count, total=total)

    def _end(self, vertex: Vertex, completed: datetime.datetime) -> Iterator[StepEvent]:
        loud = vertex.digest in self._loud
        name = self._names.transfer(vertex.name) if loud else self._names.name(vertex.name)
        seconds = _since(vertex, completed)
        if rest := readable(self._rest.pop(vertex.digest, b"").decode(errors="replace")):
            yield StepEvent("log", vertex.digest, name, seconds, rest)
        if vertex.error and _ENDED_FOR_ANOTHER not in vertex.error:
            name = self._names.failed(vertex.name)
            yield StepEvent("failed", vertex.digest, name, seconds, readable(vertex.error))
        elif name and not vertex.error:
            moved = self._sum(vertex.digest)[0] if loud else 0
            yield StepEvent("cached" if vertex.cached else "done", vertex.digest, name, seconds, bytes=moved)

    def _lines(self, log: Log) -> Iterator[StepEvent]:
        vertex = self._vertices.get(log.vertex)
        name = self._names.name(vertex.name) if vertex else ""
        if not vertex or not name:
            return
        *lines, rest = (self._rest.pop(log.vertex, b"") + log.data).split(b"\n")
        if len(rest) > LINE_LIMIT:
            lines.append(rest)
        elif rest:
            self._rest[log.vertex] = rest
        for line in lines:
            yield StepEvent(
                "log", log.vertex, name, _since(vertex, log.timestamp), readable(line.decode(errors="replace"))
            )


def _since(vertex: Vertex, moment: datetime.datetime | None) -> float:
    return round((moment - vertex.started).total_seconds(), 3) if moment and vertex.started else 0.0
