"""What is kept of a build while it runs: finished steps, the one that failed, the last lines."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from s2i.images.events import StepEvent, StepResult

if TYPE_CHECKING:
    from s2i.images.private.redact import Redactor

TAIL_LINES = 400
SHOWN_LINES = 12  # of a failed build that nothing more is known of
LOG_LIMIT = 10_000_000  # characters of step output that are passed on (THREATS T38)
LINE_LIMIT = 16 << 10
CUT = "the log is cut here: the build printed more than 10 MB"
_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class BuildLog:
    """The memory of one build. Everything that a reader understands goes through ``note``."""

    def __init__(self) -> None:
        self.steps: list[StepResult] = []
        self.failed: StepEvent | None = None
        self.redact: Redactor | None = None  # None: the build was given nothing secret
        self._tail: deque[tuple[str, str]] = deque(maxlen=TAIL_LINES)  # (step, line)
        self._size = 0

    def note(self, events: Iterable[StepEvent]) -> Iterator[StepEvent]:
        """Keep what matters of ``events`` and yield what is passed on: all but a flood of output."""
        for event in events:
            event = self.redact(event) if self.redact else event
            match event.status:
                case "log":
                    self._tail.append((event.step, event.line))
                    before, self._size = self._size, self._size + len(event.line) + 1
                    if before >= LOG_LIMIT:
                        continue
                    if self._size >= LOG_LIMIT:
                        event = StepEvent("log", event.step, event.name, event.seconds, CUT)
                case "done" | "cached":
                    self.steps.append(StepResult(event.name, event.status == "cached", event.seconds, event.bytes))
                case "failed":
                    # Steps that run beside the failing one are ended for it: only the first is the cause.
                    self.failed = self.failed or event
                    self._tail.append((event.step, event.line))
                case "started" | "progress":
                    pass
            yield event

    def remark(self, line: str) -> None:
        """Keep a line that belongs to no step: the client's own words."""
        if line.strip():
            said = readable(line)
            self._tail.append(("", self.redact.line(said) if self.redact else said))

    def lines(self) -> tuple[str, ...]:
        """Return the last lines: the failed step's and the client's own, or all when no step failed."""
        failed = self.failed.step if self.failed else None
        return tuple(line for step, line in self._tail if failed is None or step in (failed, ""))


def readable(line: str) -> str:
    """Return a line as a terminal would leave it: no colours, the last state of a progress bar, not over 16 KiB."""
    shown = _ANSI.sub("", line).rstrip("\r\n").rpartition("\r")[2]
    return shown.rstrip()[:LINE_LIMIT]
