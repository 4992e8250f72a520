"""Why a build ended that nothing in the source ended: the engine went away or failed, or the client was killed."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from s2i.engines.docker import connection
from s2i.errors import E_BUILD_ENGINE, E_BUILD_KILLED, E_BUILD_LATER
from s2i.images import passing
from s2i.images.events import StepEvent
from s2i.patterns import lazily

PING_SECONDS = 5.0
# What clients print when the connection to a running build breaks; no step prints these.
_BROKEN = lazily(
    r"error reading from server: EOF|closing transport|transport is closing|Cannot connect to the Docker daemon"
    r"|code = Unavailable|read unix .*: connection reset by peer|\Aunexpected EOF\Z|Connection broken: IncompleteRead"
)


def judge(code: int, step: str, lines: Sequence[str], *, failed: StepEvent | None) -> None:
    """Return when the build failed by itself; else raise what ended it. One call of the engine.

    ``code``: the client's exit status (negative: the signal that ended it); ``lines``: the last ones of ``step``;
    ``failed``: of the step that is known to have failed. Raises E_DOCKER, E_BUILD_ENGINE, E_BUILD_KILLED, and
    E_BUILD_LATER for what a second try mends.
    """
    connection.wire(timeout=PING_SECONDS)
    if failed and (fault := passing.fault(failed.line)):
        raise E_BUILD_LATER(step=step, why=fault.why, log=(failed.line,))
    if not failed and code < 0:
        raise E_BUILD_KILLED(step=step, signal=signal.Signals(-code).name)
    if not failed and any(_BROKEN.search(line) for line in lines):
        raise E_BUILD_ENGINE(step=step)
