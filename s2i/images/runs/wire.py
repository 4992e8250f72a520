"""What happens in a build as JSON: in events.jsonl, and on standard error for `--progress json`.

docs/build-runs.md has the table of the events.
"""

from __future__ import annotations

from s2i.images.events import StepEvent


class Wire:
    """Makes the wire form of the events of one build, one after the other."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def step(self, event: StepEvent) -> dict[str, object]:
        """Return the wire form of what happened to a step: short, because a log has a line of it for each of its own.

        Builders tell steps apart by digests of 71 characters; on the wire they are counted.
        """
        number = self._numbers.setdefault(event.step, len(self._numbers) + 1)
        found: dict[str, object] = {"type": "step", "status": event.status, "step": number}
        if event.status != "log":
            found["name"] = event.name
        if event.seconds:
            found["seconds"] = event.seconds
        if event.line:
            found["line"] = event.line
        if event.bytes:
            found["bytes"] = event.bytes
        if event.total:
            found["total"] = event.total
        return found
