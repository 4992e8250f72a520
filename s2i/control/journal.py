"""The journal of a deployment: one JSON object a line, appended while it goes on, read from any line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from s2i import dirs

LIMIT = 10_000_000
CUT: dict[str, object] = {"type": "truncated", "line": "the log is cut here: it is longer than 10 MB"}


class Journal:
    """The journal of the deployment ``ident``, a file that outlives the server."""

    def __init__(self, ident: str) -> None:
        self._path = dirs.state() / "logs" / "deployments" / f"{ident}.ndjson"
        self._cut = False

    def write(self, event: dict[str, object]) -> None:
        """Append one event; of a flood of output no more than LIMIT bytes (THREATS T38)."""
        dirs.make_private(self._path.parent)
        with self._path.open("ab") as file:
            if event.get("status") == "log" and file.tell() > LIMIT:
                if self._cut:
                    return
                self._cut, event = True, CUT
            file.write(msgspec.json.encode(event) + b"\n")

    def read(self, start: int, offset: int = 0) -> tuple[list[bytes], int]:
        """Return the whole lines after ``offset`` bytes without the first ``start`` of them, and the offset then."""
        try:
            with self._path.open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], offset
        whole = data[: data.rfind(b"\n") + 1]
        return whole.splitlines(keepends=True)[start:], offset + len(whole)

    def remove(self) -> None:
        """Delete it."""
        Path(self._path).unlink(missing_ok=True)
