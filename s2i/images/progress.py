"""From what a builder prints to StepEvents. Pure: lines in, events out."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import Protocol

import msgspec

from s2i.images.events import StepEvent
from s2i.images.log import LINE_LIMIT, BuildLog, readable
from s2i.images.steps import StepNames

STATUS_LIMIT = 16 << 20  # bytes of one JSON status
_PLAIN = re.compile(r"#(\d+) (.*)", re.DOTALL)
_SHA = re.compile(r"sha256:[0-9a-f]{64}")
_LOG = re.compile(r"(\d+\.\d+) ?(.*)", re.DOTALL)
_DONE = re.compile(r"DONE (\d+\.\d+)s")
_TRANSFER = re.compile(r"(transferring|exporting|writing|naming|resolve|extracting|preparing|sha256:).*", re.DOTALL)
_ENDED_FOR_ANOTHER = "context canceled"


class Reader(Protocol):
    """Reads the output of one kind of builder. ``log`` is what is left of it at its end."""

    log: BuildLog

    def feed(self, line: bytes) -> Iterator[StepEvent]:
        """Take one line, yield the events that it completes."""


class PlainReader:
    """Reads ``--progress=plain``: ``#7 [build 3/5] RUN ...``, ``#7 0.15 a line``, ``#7 DONE 2.1s``."""

    def __init__(self, names: StepNames) -> None:
        self.log = BuildLog()
        self._names = names
        self._vertices: dict[str, str] = {}  # number -> vertex

    def feed(self, line: bytes) -> Iterator[StepEvent]:
        text = line.decode(errors="replace").rstrip("\n")
        found = _PLAIN.fullmatch(text)
        if found:
            yield from self.log.note(self._step(found[1], found[2]))
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
        if rest.startswith("ERROR: ") and _ENDED_FOR_ANOTHER not in rest:
            yield StepEvent("failed", number, self._names.failed(vertex), line=readable(rest.removeprefix("ERROR: ")))
        elif not name or rest == vertex or _SHA.fullmatch(rest):
            pass  # a vertex is announced again when its output goes on
        elif rest == "CACHED":
            yield StepEvent("cached", number, name)
        elif done := _DONE.fullmatch(rest):
            yield StepEvent("done", number, name, float(done[1]))
        elif log := _LOG.fullmatch(rest):
            yield StepEvent("log", number, name, float(log[1]), readable(log[2]))
        elif not _TRANSFER.fullmatch(rest) and rest != "CANCELED":
            yield StepEvent("log", number, name, line=readable(rest))


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


class Status(msgspec.Struct):
    """What happened since the last one."""

    vertexes: tuple[Vertex, ...] = ()
    logs: tuple[Log, ...] = ()


class RawReader:
    """Reads ``--progress=rawjson``: one status a line, or indented over many (buildx before 0.15)."""

    def __init__(self, names: StepNames) -> None:
        self.log = BuildLog()
        self._names = names
        self._held = bytearray()
        self._vertices: dict[str, Vertex] = {}
        self._ended: set[str] = set()
        self._rest: dict[str, bytes] = {}  # digest -> the beginning of a line: a piece may end within a letter

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
        yield from self.log.note(self._events(status))

    def _events(self, status: Status) -> Iterator[StepEvent]:
        """Yield the starts that a status tells of, then the lines, then the ends."""
        for vertex in status.vertexes:
            known = self._vertices.get(vertex.digest)
            self._vertices[vertex.digest] = vertex
            name = self._names.name(vertex.name)
            if name and vertex.started and not (known and known.started):
                yield StepEvent("started", vertex.digest, name)
        for log in status.logs:
            yield from self._lines(log)
        for vertex in status.vertexes:
            if vertex.completed and vertex.digest not in self._ended:
                self._ended.add(vertex.digest)
                yield from self._end(vertex, vertex.completed)

    def _end(self, vertex: Vertex, completed: datetime.datetime) -> Iterator[StepEvent]:
        name = self._names.name(vertex.name)
        seconds = _since(vertex, completed)
        if rest := readable(self._rest.pop(vertex.digest, b"").decode(errors="replace")):
            yield StepEvent("log", vertex.digest, name, seconds, rest)
        if vertex.error and _ENDED_FOR_ANOTHER not in vertex.error:
            name = self._names.failed(vertex.name)
            yield StepEvent("failed", vertex.digest, name, seconds, readable(vertex.error))
        elif name and not vertex.error:
            yield StepEvent("cached" if vertex.cached else "done", vertex.digest, name, seconds)

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
