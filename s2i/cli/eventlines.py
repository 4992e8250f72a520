"""Progress for machines: what happens as JSON, an object a line, on standard error. docs/build-runs.md lists them."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any

from s2i.cli.output import as_json
from s2i.images.events import Image, StepEvent
from s2i.images.runs.wire import Wire
from s2i.planning.plan import BuildPlan
from s2i.sources import Notice


class EventLines:
    """Shows what happens as Progress does, in JSON."""

    def __init__(self) -> None:
        self._wire = Wire()

    def __enter__(self) -> EventLines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def run(self, ident: str) -> None:
        """Name the build run that begins."""
        self.wire({"type": "buildrun", "id": ident})

    def plan(self, plan: BuildPlan) -> None:
        """Say what is going to be built, and what a person should know about it."""
        self.wire({"type": "stage", "name": "plan", "text": plan_words(plan)})
        for notice in plan.warnings:
            self.notice(notice)

    def notice(self, notice: Notice) -> None:
        """Tell a notice."""
        self.wire({"type": "notice", "code": notice.code, "message": notice.message, "where": notice.where})

    def say(self, text: str, style: str = "") -> None:
        """Keep what is for people to oneself."""

    def step(self, event: StepEvent) -> None:
        """Tell what happened to a step."""
        self.wire(self._wire.step(event))

    def wire(self, event: dict[str, Any]) -> None:
        """Write one event."""
        sys.stderr.write(as_json(event) + "\n")
        sys.stderr.flush()

    def built(self, image: Image, how: str = "") -> None:
        """Say what came out. ``how``: instead of how long it took."""
        took = how or f"{image.size / 1e6:.0f} MB in {image.seconds:.1f} s"
        self.wire({"type": "stage", "name": "built", "text": took})


def plan_words(plan: BuildPlan) -> str:
    """Return what is going to be built, in a few words."""
    what = f"{plan.kind} ({plan.framework})" if plan.framework != plan.kind else plan.kind
    return ", ".join(filter(None, (what, plan.entry, f"Python {plan.python}" if plan.python else "")))
