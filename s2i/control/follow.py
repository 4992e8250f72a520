"""Follow a log over the containers that there are and those that come: no line is lost, none is told twice."""

from __future__ import annotations

import collections
import datetime
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType

import msgspec

from s2i.control import kept
from s2i.control.position import Position
from s2i.control.subject import Subject
from s2i.control.veil import CLEAR, Veil
from s2i.engines.engine import Engine, Line, Lines, Observed
from s2i.errors import S2IError

BATCH = 64 << 10  # bytes that are told at once, or one line
AHEAD = 256 << 10  # bytes of an instance that are read before they are told, or one line
HOLD = 0.2  # s; for so long a line waits for an earlier one of another instance
LOOK = 0.5  # s between two looks at which instances there are
REST = 10.0  # s; for so long what is left of a deleted app or an ended run is waited for
RETRY = 1.0  # s; until a log that broke off is asked for again


class Said(msgspec.Struct, frozen=True, gc=False):
    """A line, and who wrote it."""

    at: str
    instance: str
    text: bytes


class Follower:
    """The lines of a subject's containers as they come, in the order of time as far as HOLD allows.

    ``begun``: containers that were read up to a Position, through a Veil; ``told``: what was kept before; ``veil``: for
    those that come. Used from one thread; each container is read in one of its own.
    """

    def __init__(
        self,
        engine: Engine,
        subject: Subject,
        instance: str,
        begun: Sequence[tuple[Observed, Position, Veil]],
        told: Sequence[kept.Kept],
        veil: Veil = CLEAR,
    ) -> None:
        self._engine, self._subject, self._instance = engine, subject, instance
        self._turn, self._veil = threading.Condition(), veil
        self._sources = [
            _Source(engine, subject, box.id, box.owner.instance, at, own, self._turn) for box, at, own in begun
        ]
        self._known = {box.id for box, _, _ in begun}
        self._told = {one.container for one in told}
        self._looked = 0.0

    def __enter__(self) -> Follower:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for source in self._sources:
            source.close()

    def next(self) -> list[Said]:
        """Return lines that have come, BATCH at most; none when there are none for a while."""
        if time.monotonic() - self._looked >= LOOK:
            self._look()
            self._looked = time.monotonic()
        with self._turn:
            if not (due := self._due(HOLD)):
                self._turn.wait(HOLD)
                due = self._due(HOLD)
            return due

    def rest(self) -> Iterator[Said]:
        """Yield what is left when the containers end, or have ended."""
        until = time.monotonic() + REST
        self._look()  # a last time: containers come and go within moments
        while self._sources and time.monotonic() < until:
            with self._turn:
                if not (due := self._due(0.0)):
                    self._turn.wait(HOLD)
            yield from due

    def _look(self) -> None:
        """Begin to read what has come since; also what came and went, and is kept."""
        try:
            seen = self._engine.observe()
        except S2IError:
            return
        for one in self._subject.containers(seen, self._instance):
            if one.id not in self._known:
                self._begin(one.id, one.owner.instance)
        # After the containers: what is not among them any more is kept by now.
        for gone in self._subject.kept(self._instance):
            fresh = gone.container not in self._told
            if fresh and not any(kept.is_of(gone, container) for container in self._known):
                self._begin(gone.container, gone.instance)

    def _begin(self, container: str, instance: str) -> None:
        self._known.add(container)
        new = _Source(self._engine, self._subject, container, instance, Position(), self._veil.again(), self._turn)
        self._sources.append(new)

    def _due(self, hold: float) -> list[Said]:
        """Take the lines before which no other one can still come, or only one that is late."""
        due: list[Said] = []
        size = 0
        settled, arrived = stamp(time.time() - hold), time.monotonic() - hold
        self._sources = [one for one in self._sources if one.waiting or not one.ended]
        while size < BATCH and (waiting := [one for one in self._sources if one.waiting]):
            first = min(waiting, key=lambda one: one.waiting[0][1].at)
            came, line = first.waiting[0]
            silent = any(not one.waiting and not one.ended for one in self._sources)
            if silent and line.at > settled and came > arrived:
                break
            size += len(line.text)
            due.append(Said(line.at, first.instance, first.take().text))
        if due:
            self._turn.notify_all()
        return due


class _Source:
    """The lines of one container, read to its end in a thread."""

    def __init__(
        self,
        engine: Engine,
        subject: Subject,
        container: str,
        instance: str,
        read: Position,
        veil: Veil,
        turn: threading.Condition,
    ) -> None:
        self.instance = instance
        self.waiting: collections.deque[tuple[float, Line]] = collections.deque()  # and when each came
        self.ended = False
        self._engine, self._subject, self._container, self._read, self._turn = engine, subject, container, read, turn
        self._ahead, self._veil = 0, veil
        self._lines: Lines | None = None
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def take(self) -> Line:
        """Return the next line. The caller holds the turn."""
        _, line = self.waiting.popleft()
        self._ahead -= len(line.text)
        return line

    def close(self) -> None:
        """Read no more."""
        with self._turn:
            self._closed.set()
            if self._lines:
                self._lines.close()
            self._turn.notify_all()

    def _run(self) -> None:
        try:
            while not self._closed.is_set() and not self._to_its_end():
                self._closed.wait(RETRY)
        finally:
            with self._turn:
                self.ended = True
                self._turn.notify_all()

    def _to_its_end(self) -> bool:
        """Read on; say whether the container has ended, and all of it is read."""
        try:
            self._pass(self._engine.logs(self._container, since=self._read.at, follow=True))
            if any(one.id == self._container and one.state == "running" for one in self._engine.observe()):
                return False
            self._pass(self._engine.logs(self._container, since=self._read.at))
        except S2IError:
            return False
        for one in self._subject.kept():
            if kept.is_of(one, self._container):
                self._put(self._read.beyond(kept.read(one)))
        return True

    def _pass(self, lines: Lines) -> None:
        with self._turn:
            self._lines = lines
            if self._closed.is_set():
                return
        self._put(self._read.beyond(lines))

    def _put(self, lines: Iterator[Line]) -> None:
        for line in self._veil.lines(lines):
            with self._turn:
                while self._ahead + len(line.text) > AHEAD and self.waiting and not self._closed.is_set():
                    self._turn.wait()
                if self._closed.is_set():
                    return
                self.waiting.append((time.monotonic(), line))
                self._ahead += len(line.text)
                self._turn.notify_all()


def stamp(epoch: float) -> str:
    """Return a time as the engine writes it."""
    when = datetime.datetime.fromtimestamp(epoch, datetime.UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S.%f}000Z"
