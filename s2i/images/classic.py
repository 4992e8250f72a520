"""The last resort: the engine's classic builder, through its API. No mounts, no secrets, no parallel stages."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import msgspec

from s2i.engines.docker import connection
from s2i.images.command import Order
from s2i.images.events import StepEvent
from s2i.images.progress import BuildLog
from s2i.images.steps import StepNames
from s2i.planning.plan import BuildPlan, Run

_STEP = re.compile(r"Step (\d+)/\d+ : (.*)")


def without_mounts(plan: BuildPlan) -> BuildPlan:
    """Return ``plan`` as the classic builder can carry it out."""
    steps = tuple(msgspec.structs.replace(step, mounts=()) if isinstance(step, Run) else step for step in plan.steps)
    return msgspec.structs.replace(plan, steps=steps)


def run(
    order: Order, log: BuildLog, tell: Callable[[StepEvent], None], cancelled: threading.Event | None, timeout: float
) -> int:
    """Build ``order``; return 0, or 1 when a step failed. The image's id goes into ``order.iidfile``."""
    # The Dockerfile's own ignore file is BuildKit's idea; the tree was filtered before it was staged.
    (order.context / ".dockerignore").unlink(missing_ok=True)
    inside = order.context / ".s2i.Dockerfile"
    inside.write_text(order.dockerfile.read_text())
    names = StepNames(order.dockerfile.read_text())
    api = connection.client(timeout).api
    rows = api.build(
        path=str(order.context), dockerfile=inside.name, rm=True, forcerm=True, decode=True,
        nocache=not order.cache, labels=dict(order.labels), tag=order.tags[0] if order.tags else None,
    )  # fmt: skip
    until = time.monotonic() + timeout
    step, name, began = "", "", time.monotonic()
    for row in rows:
        if time.monotonic() > until or (cancelled is not None and cancelled.is_set()):
            rows.close()  # the engine ends a classic build whose client has gone
            return 1
        text = str(row.get("stream", ""))
        if found := _STEP.match(text):
            if step:
                log.note([event := StepEvent("done", step, name, time.monotonic() - began)])
                tell(event)
            step, name, began = found[1], names.name(f"[{found[1]}/99] {found[2]}") or found[2], time.monotonic()
            tell(StepEvent("started", step, found[2]))
        elif "error" in row:
            log.note([event := StepEvent("failed", step, name or "prepare", line=str(row["error"]))])
            tell(event)
            return 1
        elif identity := row.get("aux", {}).get("ID"):
            order.iidfile.write_text(identity)
        elif text.strip():
            log.note([event := StepEvent("log", step, name, line=text.rstrip())])
            tell(event)
    _tag(order)
    return 0


def _tag(order: Order) -> None:
    identity = order.iidfile.read_text()
    api = connection.client().api
    for tag in order.tags[1:]:
        repository, _, name = tag.rpartition(":")
        api.tag(identity, repository, name)
