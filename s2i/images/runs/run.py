"""The record of one execution of a build."""

from __future__ import annotations

import os
from typing import Literal

import msgspec

from s2i.images.events import StepResult
from s2i.sources import Notice

Status = Literal["running", "done", "failed", "cancelled", "interrupted"]


class BuildRun(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a build. Times are epoch seconds, ``seconds`` what it took, ``size`` bytes of the image.

    ``interrupted``: its process ended without a word. ``project`` is "" for `s2i build`. ``error`` is the wire form
    of an S2IError with its ``exit``. ``steps`` are those that ended.
    """

    id: str
    title: str
    status: Status = "running"
    project: str = ""
    source: str = ""
    commit: str = ""
    started: float = 0.0
    finished: float = 0.0
    seconds: float = 0.0
    image: str = ""
    size: int = 0
    tags: tuple[str, ...] = ()
    steps: tuple[StepResult, ...] = ()
    notices: tuple[Notice, ...] = ()
    error: dict[str, str | int] | None = None
    pid: int = 0


def new_id() -> str:
    """Return an id that no other build run has."""
    return os.urandom(6).hex()
