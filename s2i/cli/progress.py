"""Progress that a person can follow: one line a step, live on a terminal, plain lines in a pipe.

All of it goes to standard error: standard output is for the result.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

import click

from s2i.cli.eventlines import EventLines, plan_words
from s2i.cli.output import size
from s2i.cli.screen import Screen, ending, moved_words
from s2i.errors import E_PROOF, S2IError, escape
from s2i.images.events import Image, StepEvent
from s2i.images.runs.turn import STEP as TURN
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice

BUILD_FAILED = 5  # exit code
MODES = ("auto", "plain", "json", "quiet")
F = TypeVar("F", bound=Callable[..., Any])


def progress_option(command: F) -> F:
    """Add ``--progress`` to a command, as the parameter ``progress``."""
    return click.option(
        "--progress",
        type=click.Choice(MODES),
        default="auto",
        show_default=True,
        help="How to tell what happens, on standard error; json: an object a line.",
    )(command)


def shown(mode: str, output: str | None) -> Progress | EventLines:
    """Return what shows what happens. "auto": a display on a terminal; else JSON for who asked for JSON, else lines."""
    if mode == "json" or (mode == "auto" and output == "json" and not sys.stderr.isatty()):
        return EventLines()
    return Progress(mode)


class Progress:
    """Show what happens. A terminal gets a display that moves; anything else gets a line for each finished step."""

    def __init__(self, mode: str = "auto") -> None:
        moving = mode == "auto" and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._screen = Screen() if moving else None
        self._quiet = mode == "quiet"
        self._run = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, S2IError) and error.exit == BUILD_FAILED and error.kind is not E_PROOF:
            self._failed()
        if self._screen:
            self._screen.close()

    def run(self, ident: str) -> None:
        """Take the id of the build run that begins: told when it fails."""
        self._run = ident

    def plan(self, plan: BuildPlan) -> None:
        """Say what is going to be built, and what a person should know about it."""
        self.say(f"plan   {plan_words(plan)}")
        for notice in plan.warnings:
            self.notice(notice)

    def notice(self, notice: Notice) -> None:
        """Show a notice."""
        where = f"{notice.where}: " if notice.where else ""
        text = f"note   {where}{notice.message} ({notice.code})"
        if self._quiet:
            _print(escape(text, 500))
        else:
            self.say(text, style="yellow")

    def say(self, text: str, style: str = "") -> None:
        """Show one line."""
        if self._screen:
            self._screen.say(escape(text, 500), style)
        elif not self._quiet:
            _print(escape(text, 500))

    def step(self, event: StepEvent) -> None:
        """Show what happened to a step."""
        if self._screen:
            self._screen.step(event)
        elif event.status in ("done", "cached", "failed"):
            self.say(f"build  {ending(event):>6}  {event.name}{moved_words(event)}")
        elif event.status == "started" and event.step == TURN:
            self.say(f"build    ....  {event.name}")

    def wire(self, event: dict[str, Any]) -> None:
        """Show one event of a deployment, as the server sends it."""
        match event.get("type"):
            case "stage":
                self.say(f"{event['name']:<6} {event['text']}")
            case "notice":
                self.notice(Notice(event.get("code", ""), event.get("message", ""), event.get("where", "")))
            case "step":
                fields = {name: event[name] for name in StepEvent.__struct_fields__ if name in event}
                self.step(StepEvent(**{"name": "", **fields, "step": str(event.get("step", ""))}))
            case "buildrun":
                self.run(event["id"])
            case "error" if event["error"].get("exit") == BUILD_FAILED and event["error"].get("code") != E_PROOF.code:
                self._failed()
            case _:
                pass

    def built(self, image: Image, how: str = "") -> None:
        """Say what came out. ``how``: instead of how long it took."""
        names = f" as {', '.join(image.tags)}" if image.tags else ""
        took = f", {how}," if how else f" in {image.seconds:.1f} s"
        self.say(f"built  {size(image.size)}{took}{names}", style="bold green")

    def _failed(self) -> None:
        """Say where the whole log is."""
        if self._run:
            self.say(f"log    s2i buildrun logs {self._run}")


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
