"""Jobs, their runs, and the tasks of a run: one for each index of its array, with its attempts."""

from __future__ import annotations

from typing import Literal

import msgspec

from s2i.resources.app import Config
from s2i.resources.service import ServiceKind

TaskStatus = Literal["pending", "running", "succeeded", "failed", "timeout", "cancelled"]
Mode = Literal["task", "daemon"]
Overlap = Literal["forbid", "allow", "replace"]
OPEN_TASK: tuple[TaskStatus, ...] = ("pending", "running")


class Execution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a run of a job goes about its work.

    ``array``: the indices, as "0-49" or "1-5,8"; ``size``: what JOB_ARRAY_SIZE says (0: how many indices there are).
    ``retry_limit``: so many attempts more an index gets that fails. ``max_seconds``: each attempt is ended then (0: no
    limit), and gets no other one unless ``retry_timeouts``. ``mode``: a "daemon" is started again whenever it ends, and
    knows no limits. ``parallelism``: tasks of the run at once, at most (0: as many as there is room for).
    """

    array: str = "0"
    size: int = 0
    retry_limit: int = 3
    max_seconds: float = 7200.0
    retry_timeouts: bool = False
    mode: Mode = "task"
    parallelism: int = 0


class Keep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the ended runs of a job are kept: the newest ``runs`` of them, for ``days`` (0: however old)."""

    runs: int = 100
    days: float = 0.0


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a job runs by itself: at each minute that ``cron`` names in ``timezone``.

    ``overlap``: what happens at a tick while the run of an earlier one goes on: nothing ("forbid"), one more ("allow"),
    or that is cancelled first ("replace"). ``data``: given to each run. ``window``: for so many seconds a tick that the
    server slept through is made good, once. ``since``: up to here (epoch seconds) all ticks are dealt with.
    """

    cron: str
    timezone: str = "UTC"
    overlap: Overlap = "forbid"
    data: str = ""
    window: float = 3600.0
    paused: bool = False
    since: float = 0.0


class Job(msgspec.Struct, frozen=True):
    """Code that runs to its end: an image, a config, and how a run of it goes. ``app``: the app whose process it is.

    ``service``: it is one of that kind, which runs in one container, and is reached by its name.
    """

    project: str
    name: str
    image: str
    config: Config
    source: str = ""
    execution: Execution = Execution()
    schedule: Schedule | None = None
    keep: Keep = Keep()
    created: float = 0.0
    commit: str = ""
    app: str = ""
    service: ServiceKind | Literal[""] = ""


class JobRun(msgspec.Struct, frozen=True):
    """One execution of a job. ``exit`` and ``reason`` are those of the first index that did not succeed, once it ended.

    ``release``: the revision of the app ``job`` whose release command this is; 0: the run of a job. ``scheduled``: the
    tick (epoch seconds) that it is the run of; ``again``: the run of which it does some indices once more.
    ``cancelled``: somebody asked for its end.
    """

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
    release: int = 0
    execution: Execution = Execution()
    data: str = ""
    scheduled: float = 0.0
    again: str = ""
    cancelled: bool = False
    alias: str = ""  # the name by which its container is reached in the network of its project


class Attempt(msgspec.Struct, frozen=True):
    """One attempt that has ended. ``exit`` is None when the container was lost; ``reason`` says why it failed."""

    number: int
    status: TaskStatus
    exit: int | None = None
    reason: str = ""
    started: float = 0.0
    finished: float = 0.0


class Task(msgspec.Struct, frozen=True):
    """One index of a run. ``tries``: how many attempts have ended, of which the last ones are told in ``attempts``.

    ``started``: when the attempt that runs began. ``ending``: why it is being ended, "" when it is not.
    """

    project: str
    run: str
    job: str
    index: int
    status: TaskStatus = "pending"
    tries: int = 0
    attempts: tuple[Attempt, ...] = ()
    started: float = 0.0
    ending: Literal["", "timeout", "cancelled"] = ""

    @property
    def instance(self) -> str:
        """What the container of its current attempt is called within the run: "7-0"."""
        return f"{self.index}-{self.tries}"
