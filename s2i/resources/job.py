"""Jobs, their runs and tasks."""

from __future__ import annotations

from typing import Literal

import msgspec

from s2i.resources.app import Config

TaskStatus = Literal["pending", "running", "succeeded", "failed"]


class Job(msgspec.Struct, frozen=True):
    """Code that runs once: an image and a config."""

    project: str
    name: str
    image: str
    config: Config
    source: str = ""


class JobRun(msgspec.Struct, frozen=True):
    """One execution of a job. ``exit`` is None while it runs; ``reason`` says why it failed."""

    project: str
    job: str
    name: str  # "NAME-1", "NAME-2" ...
    image: str
    config: Config
    status: TaskStatus = "pending"
    exit: int | None = None
    reason: str = ""
    created: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    release: int = 0  # the revision of the app ``job`` whose release command this is; 0: the run of a job
