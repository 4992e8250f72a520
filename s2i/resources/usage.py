"""What apps and jobs use, as figures."""

from __future__ import annotations

import msgspec


class Live(msgspec.Struct, frozen=True):
    """What one container uses now: ``cpu`` in percent of a core, ``memory`` in bytes, the network in bytes a second.

    ``kind`` "app" or "job"; ``name``: the app's or the job run's.
    """

    project: str
    kind: str
    name: str
    instance: str
    cpu: float
    memory: int
    received: int
    sent: int


class Hour(msgspec.Struct, frozen=True):
    """What an app or a job used in one hour, which began at ``hour`` (epoch seconds).

    ``cpu`` in seconds of a core, ``memory`` in bytes times seconds, the network in bytes.
    """

    project: str
    kind: str
    name: str
    hour: float
    cpu: float = 0.0
    memory: float = 0.0
    received: int = 0
    sent: int = 0
