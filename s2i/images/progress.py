"""From what a BuildKit client prints to StepEvents. Pure: lines in, events out."""

from __future__ import annotations

import base64
import datetime
import re
from collections import deque

import msgspec

from s2i.images.events import StepEvent, StepResult
from s2i.images.steps import StepNames

TAIL_LINES = 400
_PLAIN = re.compile(r"#(\d+) (.*)", re.DOTALL)
_SHA = re.compile(r"sha256:[0-9a-f]{64}")
_LOG = re.compile(r"(\d+\.\d+) ?(.*)", re.DOTALL)
_DONE = re.compile(r"DONE (\d+\.\d+)s")
_TRANSFER = re.compile(r"(transferring|exporting|writing|naming|resolve|extracting|sha256:)\b.*")


class BuildLog:
    """What is kept of a build: its finished steps, the failed one, and the last lines that it printed."""

    def __init__(self) -> None:
        self.steps: list[StepResult] = []
        self.failed = ""
        self._failed_name = ""
        self.tail: deque[tuple[str, str]] = deque(maxlen=TAIL_LINES)  # (step, line)

    def note(self, events: list[StepEvent]) -> list[StepEvent]:
        """Keep what matters of ``events`` and return them."""
        for event in events:
            match event.status:
                case "log":
                    self.tail.append((event.step, event.line))
                case "done" | "cached":
                    self.steps.append(StepResult(event.name, event.status == "cached", event.seconds))
                case "failed":
                    self.failed, self._failed_name = event.step, event.name
                    self.tail.append((event.step, event.line))
                case _:
                    pass
        return events

    def step_name(self) -> str:
        """Return the name of the step that failed."""
        return self._failed_name or "prepare"

    def lines(self) -> list[str]:
        """Return the last lines: the failed step's, or all when none failed."""
        return [line for step, line in self.tail if step == self.failed or not self.failed or not step]


class PlainReader:
    """Reads ``--progress=plain``: ``#7 [build 3/5] RUN ...``, ``#7 0.15 a line``, ``#7 DONE 2.1s``."""

    def __init__(self, names: StepNames) -> None:
        self.log = BuildLog()
        self._names = names
        self._known: dict[str, str | None] = {}

    def feed(self, line: bytes) -> list[StepEvent]:
        text = line.decode(errors="replace").rstrip("\n")
        found = _PLAIN.fullmatch(text)
        if not found:
            if text and not text.startswith(("---", " > ")):
                self.log.tail.append(("", text))
            return []
        return self.log.note(self._step(found[1], found[2]))

    def _step(self, number: str, rest: str) -> list[StepEvent]:
        if number not in self._known:
            self._known[number] = self._names.name(rest)
            name = self._known[number]
            return [StepEvent("started", number, name)] if name else []
        name = self._known[number]
        if rest.startswith("ERROR"):
            return [StepEvent("failed", number, name or "prepare", line=rest.removeprefix("ERROR").lstrip(": "))]
        if name is None or _SHA.fullmatch(rest):
            return []
        if rest == "CACHED":
            return [StepEvent("cached", number, name)]
        if done := _DONE.fullmatch(rest):
            return [StepEvent("done", number, name, float(done[1]))]
        if log := _LOG.fullmatch(rest):
            return [StepEvent("log", number, name, float(log[1]), log[2])]
        if self._names.name(rest) == name or _TRANSFER.match(rest):
            return []  # a vertex is announced again when its output goes on, or says how far it is
        return [StepEvent("log", number, name, line=rest)]


class _Vertex(msgspec.Struct):
    digest: str
    name: str = ""
    started: datetime.datetime | None = None
    completed: datetime.datetime | None = None
    cached: bool = False
    error: str = ""


class _Log(msgspec.Struct):
    vertex: str
    data: str = ""


class _Status(msgspec.Struct):
    vertexes: list[_Vertex] = []
    logs: list[_Log] = []


class RawReader:
    """Reads ``--progress=rawjson``: one status a line, or indented over many (buildx before 0.15)."""

    def __init__(self, names: StepNames) -> None:
        self.log = BuildLog()
        self._names = names
        self._buffer = bytearray()
        self._seen: dict[str, str] = {}  # digest -> the last status told
        self._vertices: dict[str, str | None] = {}
        self._rest: dict[str, str] = {}

    def feed(self, line: bytes) -> list[StepEvent]:
        if not self._buffer and not line.startswith(b"{"):
            if text := line.decode(errors="replace").strip():
                self.log.tail.append(("", text))
            return []
        self._buffer += line
        if line.rstrip() != b"}" and not (line.startswith(b"{") and line.rstrip().endswith(b"}")):
            return []
        try:
            status = msgspec.json.decode(bytes(self._buffer), type=_Status)
        except msgspec.MsgspecError:
            return []
        finally:
            self._buffer.clear()
        return self.log.note(self._events(status))

    def _events(self, status: _Status) -> list[StepEvent]:
        events = [event for vertex in status.vertexes for event in self._vertex(vertex, early=True)]
        for log in status.logs:
            events += self._lines(log)
        return events + [event for vertex in status.vertexes for event in self._vertex(vertex, early=False)]

    def _vertex(self, vertex: _Vertex, *, early: bool) -> list[StepEvent]:
        """Tell a vertex's start before the lines of its status, and its end after them."""
        name = self._vertices.setdefault(vertex.digest, self._names.name(vertex.name))
        seen = self._seen.get(vertex.digest)
        told = name or ("prepare" if vertex.error else "")
        if not told or seen == "end":
            return []
        if early:
            if vertex.started and not seen:
                self._seen[vertex.digest] = "started"
                return [StepEvent("started", vertex.digest, told)]
            return []
        if not vertex.completed:
            return []
        self._seen[vertex.digest] = "end"
        seconds = (vertex.completed - vertex.started).total_seconds() if vertex.started else 0.0
        if vertex.error:
            return [StepEvent("failed", vertex.digest, told, seconds, vertex.error)]
        return [StepEvent("cached" if vertex.cached else "done", vertex.digest, told, seconds)]

    def _lines(self, log: _Log) -> list[StepEvent]:
        name = self._vertices.get(log.vertex)
        if not name:
            return []
        text = self._rest.pop(log.vertex, "") + base64.b64decode(log.data).decode(errors="replace")
        *lines, rest = text.split("\n")
        if rest:
            self._rest[log.vertex] = rest
        return [StepEvent("log", log.vertex, name, line=line) for line in lines]
