"""What a build tells while it runs, and what is left of it at its end."""

from __future__ import annotations

from typing import Literal

import msgspec


class StepEvent(msgspec.Struct, frozen=True, tag_field="type", tag="step"):
    """Something that happened to one step. ``step`` is unique in its build; ``seconds`` since the step began.

    ``line`` of "log" and "failed" has no line end and no colour codes, but may hold other control bytes: escape it.
    ``bytes`` were moved so far, of ``total`` where that is known: "progress" tells of it while a step runs.
    """

    status: Literal["started", "progress", "cached", "log", "done", "failed"]
    step: str
    name: str
    seconds: float = 0.0
    line: str = ""
    bytes: int = 0
    total: int = 0


class StepResult(msgspec.Struct, frozen=True):
    """One finished step. ``bytes`` that it moved, 0 when it is no step that moves any or nobody said."""

    name: str
    cached: bool
    seconds: float
    bytes: int = 0
    failed: bool = False


class Image(msgspec.Struct, frozen=True):
    """What a build made. ``id`` and ``digest`` are ``sha256:...``; ``size`` in bytes; ``run`` its build run's id.

    ``pushed``: what a registry has of it, as ``registry/name@sha256:...``; then ``digest`` is the registry's.
    """

    id: str
    digest: str
    size: int
    tags: tuple[str, ...]
    steps: tuple[StepResult, ...]
    seconds: float
    pushed: tuple[str, ...] = ()
    run: str = ""
