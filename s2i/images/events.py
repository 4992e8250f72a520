"""What a build tells while it runs, and what is left of it at its end."""

from __future__ import annotations

from typing import Literal

import msgspec


class StepEvent(msgspec.Struct, frozen=True, tag_field="type", tag="step"):
    """Something that happened to one step. ``step`` is unique in its build; ``seconds`` since the step began.

    ``line`` of "log" and "failed" has no line end and no colour codes, but may hold other control bytes: escape it.
    """

    status: Literal["started", "cached", "log", "done", "failed"]
    step: str
    name: str
    seconds: float = 0.0
    line: str = ""


class StepResult(msgspec.Struct, frozen=True):
    """One finished step."""

    name: str
    cached: bool
    seconds: float


class Image(msgspec.Struct, frozen=True):
    """What a build made. ``id`` and ``digest`` are ``sha256:...``; ``size`` in bytes.

    ``pushed``: what a registry has of it, as ``registry/name@sha256:...``; then ``digest`` is the registry's.
    """

    id: str
    digest: str
    size: int
    tags: tuple[str, ...]
    steps: tuple[StepResult, ...]
    seconds: float
    pushed: tuple[str, ...] = ()
