"""The display on a terminal: finished steps scroll away above, the running ones stay below with their output."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from s2i.cli.output import safe, size
from s2i.errors import escape
from s2i.images.events import StepEvent

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

TAIL = 4  # lines of a running step that are shown below it
SLOW_SECONDS = 0.05
_MARKS = {"done": "✓", "cached": "↻", "failed": "✗"}
_MARKS_ASCII = {"done": "+", "cached": "=", "failed": "!"}
_STYLES = {"done": "green", "cached": "cyan", "failed": "red"}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Screen:
    """A display that moves."""

    def __init__(self, console: Console | None = None) -> None:
        from rich import console as rich_console
        from rich.live import Live

        self._console = console or rich_console.Console(stderr=True, highlight=False)
        self._symbols = self._console.encoding.lower().startswith("utf")
        self._running: dict[str, _Running] = {}
        # What else writes to the terminal meanwhile is the business of whoever writes.
        self._live = Live(
            console=self._console, get_renderable=self.render, refresh_per_second=10, transient=True,
            redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self._live.start()

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._live.stop()

    def say(self, text: str, style: str = "") -> None:
        """Show one line above the running steps."""
        from rich.text import Text

        self._console.print(Text(text, style=style))

    def step(self, event: StepEvent) -> None:
        """Take what happened to a step."""
        match event.status:
            case "started":
                self._running[event.step] = _Running(event)
            case "log":
                if event.step in self._running:
                    self._running[event.step].lines.append(event.line)
            case "progress":
                if event.step in self._running:
                    self._running[event.step].event = event
            case _:
                self._running.pop(event.step, None)
                self._live.refresh()  # what is printed above pushes down the last frame, which still has the step
                self._finished(event)

    def render(self) -> Text:
        """Return the running steps, each with the last lines of its output."""
        from rich.text import Text

        width = max(20, self._console.width - 1)
        shown = Text(no_wrap=True, overflow="ellipsis")
        for one in tuple(self._running.values()):
            seconds = time.monotonic() - one.began
            spin = _SPINNER[int(seconds * 10) % len(_SPINNER)] if self._symbols else "-"
            step = _cut(f" {spin} {seconds:>5.0f} s  {escape(one.event.name)}", _moved(one.event), width)
            shown.append(f"{step}\n", style="bold")
            for line in tuple(one.lines):
                shown.append(f"{'':<12}{safe(line).expandtabs()}"[:width] + "\n", style="dim")
        return shown

    def _finished(self, event: StepEvent) -> None:
        from rich.text import Text

        width = max(20, self._console.width - 1)
        mark = _MARKS[event.status] if self._symbols else _MARKS_ASCII[event.status]
        line = Text()
        line.append(f" {mark} ", style=_STYLES[event.status])
        line.append(f"{ending(event):>7}  ", style="dim")
        line.append(escape(event.name), style="dim" if event.status == "cached" else "")
        moved = moved_words(event)
        line.truncate(width - len(moved), overflow="ellipsis" if self._symbols else "crop")
        line.append(moved, style="dim")
        self._console.print(line)


class _Running:
    """A step that goes on."""

    def __init__(self, event: StepEvent) -> None:
        self.event, self.began = event, time.monotonic()
        self.lines: deque[str] = deque(maxlen=TAIL)


def ending(event: StepEvent) -> str:
    """Say how a step ended: cached, FAILED, or its seconds when it took any."""
    took = f"{event.seconds:.1f} s" if event.seconds >= SLOW_SECONDS else "done"
    return {"cached": "cached", "failed": "FAILED"}.get(event.status, took)


def moved_words(event: StepEvent) -> str:
    """Say how much a step has moved, with two blanks in front; "" for nothing."""
    return f"  {size(event.bytes)}" if event.bytes else ""


def _moved(event: StepEvent) -> str:
    return f"{moved_words(event)} of {size(event.total)}" if event.bytes < event.total else moved_words(event)


def _cut(text: str, end: str, width: int) -> str:
    return text[: width - len(end)] + end
