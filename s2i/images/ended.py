"""Why a build ended that no step failed in: the engine went away, or the client was killed."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from s2i.engines.docker import connection
from s2i.errors import E_BUILD_ENGINE, E_BUILD_KILLED
from s2i.patterns import lazily

PING_SECONDS = 5.0
# What clients print when the connection to a running build breaks; no step prints these.
_BROKEN = lazily(
    r"error reading from server: EOF|closing transport|transport is closing|Cannot connect to the Docker daemon"
    r"|code = Unavailable|read unix .*: connection reset by peer|\Aunexpected EOF\Z|Connection broken: IncompleteRead"
)


def judge(code: int, step: str, lines: Sequence[str], *, failed: bool) -> None:
    """Return when the build failed by itself; else raise what ended it. One call of the engine.

    ``code``: the client's exit status (negative: the signal that ended it); ``lines``: the last ones of ``step``;
    ``failed``: a step is known to have failed. Raises E_DOCKER, E_BUILD_ENGINE, E_BUILD_KILLED.
    """
    connection.wire(timeout=PING_SECONDS)
    if not failed and code < 0:
        raise E_BUILD_KILLED(step=step, signal=signal.Signals(-code).name)
    if not failed and any(_BROKEN.search(line) for line in lines):
        raise E_BUILD_ENGINE(step=step)
