"""Progress that a person can follow: one line a step, live on a terminal, plain lines in a pipe.

All of it goes to standard error: standard output is for the result.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from s2i.errors import escape
from s2i.images.events import Image, StepEvent
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

TAIL = 4  # lines of a running step that are shown below it
SLOW_SECONDS = 0.05


class Progress:
    """Show what happens. A terminal gets a display that moves; anything else gets a line for each finished step."""

    def __init__(self) -> None:
        self._screen = _Screen() if sys.stderr.isatty() else None

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
            print(escape(text, 500), file=sys.stderr, flush=True)

    def step(self, event: StepEvent) -> None:
        """Show what happened to a step."""
        if self._screen:
            self._screen.step(event)
        elif event.status in ("done", "cached", "failed"):
            print(_line(event), file=sys.stderr, flush=True)

    def wire(self, event: dict[str, Any]) -> None:
        """Show one event of a deployment, as the server sends it."""
        match event.get("type"):
            case "stage":
                self.say(f"{event['name']:<7}{event['text']}")
            case "notice":
                self.notice(Notice(event.get("code", ""), event.get("message", ""), event.get("where", "")))
            case "step":
                fields = {name: event[name] for name in StepEvent.__struct_fields__ if name in event}
                self.step(StepEvent(**fields))
            case _:
                pass

    def built(self, image: Image) -> None:
        """Say what came out."""
        names = f" as {', '.join(image.tags)}" if image.tags else ""
        self.say(f"built  {image.size / 1e6:.0f} MB in {image.seconds:.1f} s{names}", style="green")


class _Screen:
    """The display on a terminal: finished steps scroll away above, the running ones stay below with their output."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console: Console = Console(stderr=True, highlight=False)
        self._running: dict[str, tuple[StepEvent, float, list[str]]] = {}
        self._live: Live = Live(
            console=self._console, get_renderable=self._render, refresh_per_second=10, transient=True
        )
        self._live.start()

    def close(self) -> None:
        self._live.stop()

    def say(self, text: str, style: str = "") -> None:
        from rich.text import Text

        self._console.print(Text(text, style=style))

    def step(self, event: StepEvent) -> None:
        if event.status == "started":
            self._running[event.step] = (event, time.monotonic(), [])
        elif event.status == "log":
            if event.step in self._running:
                self._running[event.step][2].append(escape(event.line, 200))
        else:
            self._running.pop(event.step, None)
            self.say(_line(event), "red" if event.status == "failed" else "dim" if event.status == "cached" else "")

    def _render(self) -> Text:
        from rich.text import Text

        shown = Text()
        for event, began, lines in self._running.values():
            shown.append(f"  …    {escape(event.name)} ({time.monotonic() - began:.0f} s)\n", style="bold")
            for line in lines[-TAIL:]:
                shown.append(f"       {line[: max(20, self._console.width - 9)]}\n", style="dim")
        return shown


def _line(event: StepEvent) -> str:
    """Return the line of a finished step: ``build  Install the dependencies  3.1 s``."""
    took = f"{event.seconds:.1f} s" if event.seconds >= SLOW_SECONDS else ""
    end = {"cached": "cached", "failed": "FAILED"}.get(event.status, took)
    return f"build  {escape(event.name):<72} {end}".rstrip()
