"""Where a deployment can be cut short, for tests: S2I_CRASH_AT=POINT kills the server when it first comes there.

A power cut takes no heed of where a program is. Each step that has an effect says so here, with a name; a test asks for
all points, and looks at what is left after each of them (docs/faults.md).
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

VARIABLE = "S2I_CRASH_AT"
# Of a deployment, in their order; each action of the loop is a step too (see control.execute).
STEPS = (
    "open",
    "fetch",
    "plan",
    "build",
    "accept",
    "create-sandbox",
    "create-instance",
    "start-instance",
    "prove",
    "release",
    "create-task",
    "admit",
    "end",
)


def points(steps: tuple[str, ...]) -> tuple[str, ...]:
    """Return the points that ``steps`` have."""
    return tuple(f"{when}-{step}" for step in steps for when in ("before", "after"))


@contextlib.contextmanager
def around(step: str) -> Iterator[None]:
    """Do a step between its two points. What fails has no point after it."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        yield
        return
    _here(f"before-{step}", wanted)
    yield
    _here(f"after-{step}", wanted)


def _here(point: str, wanted: str) -> None:
    if point == wanted:
        os.kill(os.getpid(), signal.SIGKILL)
