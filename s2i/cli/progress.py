"""Progress that a person can follow: one line a step, live on a terminal, plain lines in a pipe.

All of it goes to standard error: standard output is for the result.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

from s2i.cli.output import safe
from s2i.errors import escape
from s2i.images.events import Image, StepEvent
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

TAIL = 4  # lines of a running step that are shown below it
SLOW_SECONDS = 0.05
_MARKS = {"done": "✓", "cached": "⚡", "failed": "✗"}
_MARKS_ASCII = {"done": "+", "cached": "=", "failed": "!"}
_STYLES = {"done": "green", "cached": "cyan", "failed": "red"}
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Progress:
    """Show what happens. A terminal gets a display that moves; anything else gets a line for each finished step."""

    def __init__(self) -> None:
        moving = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._screen = Screen() if moving else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen:
            self._screen.close()

    def plan(self, plan: BuildPlan) -> None:
        """Say what is going to be built, and what a person should know about it."""
        what = f"{plan.kind} ({plan.framework})" if plan.framework != plan.kind else plan.kind
        python = f", Python {plan.python}" if plan.python else ""
        self.say(f"plan   {what}{f', {plan.entry}' if plan.entry else ''}{python}")
        for notice in plan.warnings:
            self.notice(notice)

    def notice(self, notice: Notice) -> None:
        """Show a notice."""
        where = f"{notice.where}: " if notice.where else ""
        self.say(f"note   {where}{notice.message} ({notice.code})", style="yellow")

    def say(self, text: str, style: str = "") -> None:
        """Show one line."""
        if self._screen:
            self._screen.say(escape(text, 500), style)
        else:
            _print(escape(text, 500))

    def step(self, event: StepEvent) -> None:
        """Show what happened to a step."""
        if self._screen:
            self._screen.step(event)
        elif event.status in _MARKS:
            _print(f"build  {_end(event):>6}  {escape(event.name)}")

    def wire(self, event: dict[str, Any]) -> None:
        """Show one event of a deployment, as the server sends it."""
        match event.get("type"):
            case "stage":
                self.say(f"{event['name']:<6} {event['text']}")
            case "notice":
                self.notice(Notice(event.get("code", ""), event.get("message", ""), event.get("where", "")))
            case "step":
                fields = {name: event[name] for name in StepEvent.__struct_fields__ if name in event}
                self.step(StepEvent(**fields))
            case _:
                pass

    def built(self, image: Image, how: str = "") -> None:
        """Say what came out. ``how``: instead of how long it took."""
        names = f" as {', '.join(image.tags)}" if image.tags else ""
        took = f", {how}," if how else f" in {image.seconds:.1f} s"
        self.say(f"built  {image.size / 1e6:.0f} MB{took}{names}", style="bold green")


class Screen:
    """The display on a terminal: finished steps scroll away above, the running ones stay below with their output."""

    def __init__(self, console: Console | None = None) -> None:
        from rich import console as rich_console
        from rich.live import Live

        self._console = console or rich_console.Console(stderr=True, highlight=False)
        self._symbols = self._console.encoding.lower().startswith("utf")
        self._running: dict[str, tuple[StepEvent, float, deque[str]]] = {}
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
                self._running[event.step] = (event, time.monotonic(), deque(maxlen=TAIL))
            case "log":
                if event.step in self._running:
                    self._running[event.step][2].append(event.line)
            case _:
                self._running.pop(event.step, None)
                self._live.refresh()  # what is printed above pushes down the last frame, which still has the step
                self._finished(event)

    def render(self) -> Text:
        """Return the running steps, each with the last lines of its output."""
        from rich.text import Text

        width = max(20, self._console.width - 1)
        shown = Text(no_wrap=True, overflow="ellipsis")
        for event, began, lines in tuple(self._running.values()):
            seconds = time.monotonic() - began
            spin = _SPINNER[int(seconds * 10) % len(_SPINNER)] if self._symbols else "-"
            shown.append(f" {spin} {seconds:>5.0f} s  {escape(event.name)}"[:width] + "\n", style="bold")
            for line in tuple(lines):
                shown.append(f"{'':<12}{safe(line).expandtabs()}"[:width] + "\n", style="dim")
        return shown

    def _finished(self, event: StepEvent) -> None:
        from rich.text import Text

        mark = _MARKS[event.status] if self._symbols else _MARKS_ASCII[event.status]
        line = Text()
        line.append(f" {mark} ", style=_STYLES[event.status])
        line.append(f"{_end(event):>7}  ", style="dim")
        line.append(escape(event.name), style="dim" if event.status == "cached" else "")
        line.truncate(max(20, self._console.width - 1), overflow="ellipsis")
        self._console.print(line)


def _end(event: StepEvent) -> str:
    """Say how a step ended: cached, FAILED, or its seconds when it took any."""
    took = f"{event.seconds:.1f} s" if event.seconds >= SLOW_SECONDS else "done"
    return {"cached": "cached", "failed": "FAILED"}.get(event.status, took)


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
