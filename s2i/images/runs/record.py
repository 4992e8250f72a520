"""Record a build while it runs: who asked for what, what happened, how it ended."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import BinaryIO

import msgspec

from s2i import dirs
from s2i.errors import E_INTERNAL, E_NOT_PRIVATE, S2IError
from s2i.images.events import Image, StepEvent, StepResult
from s2i.images.request import BuildRequest
from s2i.images.runs import shelf
from s2i.images.runs.run import BuildRun, new_id
from s2i.images.runs.wire import Wire
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice
from s2i.sources.tree import Origin

FILE_LIMIT = 10_000_000  # bytes of events.jsonl (THREATS T38)
HEAVY = 1_000_000  # bytes of events from which on all runs are weighed
QUICK_SECONDS = 3.0
TAIL_RESERVE = 100_000  # bytes of it that are kept for the ends of steps
LOOK_SECONDS = 0.1
INTERRUPTED = 130  # exit code
_CUT = {"type": "truncated", "line": "the log is cut here: it is longer than 10 MB"}


class Recording:
    """What ``recorded`` gives: ``event`` and ``notice`` to tell, ``cancelled`` to look at, ``made`` for the image."""

    def __init__(
        self, run: BuildRun, on_event: Callable[[StepEvent], None], on_notice: Callable[[Notice], None], wanted: Event
    ) -> None:
        self.run = run
        self.cancelled: Event = wanted
        self._on_event, self._on_notice = on_event, on_notice
        self._steps: list[StepResult] = []
        self._notices: list[Notice] = []
        self._folder: Path | None = None
        self._file: BinaryIO | None = None
        self._wire, self._written, self._cut = Wire(), 0, False

    def open(self, plan: BuildPlan) -> None:
        """Begin the folder; take another id when that of the run is taken. Raises OSError, E_NOT_PRIVATE."""
        home = dirs.make_private(shelf.place())
        wanted = self.run.id
        for number in range(2, 100):
            with contextlib.suppress(FileExistsError):
                (home / self.run.id).mkdir(mode=0o700)
                break
            self.run = msgspec.structs.replace(self.run, id=f"{wanted}-{number}")
        self._folder = home / self.run.id
        try:
            self._file = (self._folder / shelf.EVENTS).open("ab", buffering=0)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            (self._folder / shelf.PLAN).write_bytes(msgspec.json.encode(plan))
            self._save()
        except OSError:
            shelf.remove(self._folder)
            self._folder = None
            self.close()
            raise
        self.cancelled = _Cancel(self.cancelled, self._folder / shelf.CANCEL)

    def event(self, event: StepEvent) -> None:
        """Tell what happened to a step."""
        if event.status in ("done", "cached", "failed"):
            failed = event.status == "failed"
            self._steps.append(StepResult(event.name, event.status == "cached", event.seconds, event.bytes, failed))
        if event.status != "progress":
            self._write(self._wire.step(event), last=event.status != "log")
        self._on_event(event)

    def notice(self, notice: Notice) -> None:
        """Tell what a person should know."""
        self._notices.append(notice)
        self._write({"type": "notice", "code": notice.code, "message": notice.message, "where": notice.where})
        self._on_notice(notice)

    def again(self, notice: Notice) -> None:
        """Say that all of it is done once more, and why."""
        self._steps.clear()
        self.notice(notice)

    def made(self, image: Image) -> Image:
        """Say what came out, and return it with the id of the run."""
        known = {"image": image.id, "size": image.size, "tags": image.tags}
        self._end(status="done", **known)
        return msgspec.structs.replace(image, run=self.run.id if self._folder else "")

    def failed(self, error: BaseException) -> None:
        """Say what ended it."""
        if isinstance(error, S2IError):
            wire: dict[str, str | int] = {**error.as_dict(), "exit": error.exit}
        elif isinstance(error, KeyboardInterrupt):
            wire = {"code": "", "message": "interrupted", "found": "", "advice": "", "exit": INTERRUPTED}
        else:
            wire = {**E_INTERNAL(why=type(error).__name__).as_dict(), "exit": E_INTERNAL.exit}
        self._write({"type": "error", "error": wire}, last=True)
        self._end(status="cancelled" if wire["exit"] == INTERRUPTED else "failed", error=wire)

    def close(self) -> None:
        """Let go of the folder."""
        if self._file:
            self._file.close()
            self._file = None
        # A build that did next to nothing must not wait for a disk that removes folders.
        quick = time.time() - self.run.started < QUICK_SECONDS
        shelf.prune(weigh=self._written > HEAVY, quick=quick)

    def _end(self, **known: object) -> None:
        now = time.time()
        self.run = msgspec.structs.replace(
            self.run,
            finished=round(now, 3),
            seconds=round(now - self.run.started, 3),
            steps=tuple(self._steps),
            notices=tuple(self._notices),
            **known,
        )
        with contextlib.suppress(OSError):  # a disk that is full now: what was written stays
            self._save()

    def _save(self) -> None:
        if self._folder:
            dirs.write(self._folder / shelf.RECORD, msgspec.json.encode(self.run))

    def _write(self, event: dict[str, object], *, last: bool = False) -> None:
        if self._file is None or (self._cut and not last):
            return
        data = msgspec.json.encode(event) + b"\n"
        if self._written + len(data) > FILE_LIMIT - (0 if last else TAIL_RESERVE):
            if self._cut:
                return
            self._cut, data = True, msgspec.json.encode(_CUT) + b"\n"
        self._written += len(data)
        with contextlib.suppress(OSError):
            self._file.write(data)


class _Cancel(Event):
    """Set when the caller's own event is, or when a file is there: the word of another process."""

    def __init__(self, given: Event, path: Path) -> None:
        super().__init__()
        self._given, self._path, self._looked = given, path, 0.0

    def is_set(self) -> bool:
        if super().is_set() or self._given.is_set():
            return True
        if (now := time.monotonic()) - self._looked >= LOOK_SECONDS:
            self._looked = now
            if self._path.exists():
                self.set()
        return super().is_set()

    def wait(self, timeout: float | None = None) -> bool:
        until = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = LOOK_SECONDS if until is None else until - time.monotonic()
            if left <= 0:
                return False
            self._given.wait(min(left, LOOK_SECONDS))
        return True


@contextlib.contextmanager
def recorded(
    plan: BuildPlan,
    origin: Origin,
    request: BuildRequest,
    on_event: Callable[[StepEvent], None],
    on_notice: Callable[[Notice], None],
    cancelled: Event | None,
) -> Iterator[Recording]:
    """Record the build that the block does. What cannot be recorded is built all the same, with a notice."""
    run = BuildRun(
        id=request.run or new_id(),
        title=request.title,
        project=request.project,
        source=_words(origin),
        commit=origin.commit,
        started=round(time.time(), 6),
        tags=request.tags,
        pid=os.getpid(),
    )
    recording = Recording(run, on_event, on_notice, cancelled or Event())
    try:
        recording.open(plan)
    except (OSError, S2IError) as error:
        if isinstance(error, S2IError) and error.kind is not E_NOT_PRIVATE:
            raise
        recording.notice(Notice("W_NOT_RECORDED", f"this build leaves no record: {error}", ""))
    try:
        yield recording
    except BaseException as error:
        recording.failed(error)
        raise
    finally:
        recording.close()


def _words(origin: Origin) -> str:
    """Return a source as a person would write it."""
    at = f"@{origin.ref}" if origin.ref else ""
    return f"{origin.place}{at}{f'#{origin.subdir}' if origin.subdir else ''}"
