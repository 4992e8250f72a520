"""The journal of a deployment: one JSON object a line, appended while it goes on, read from any line."""

from __future__ import annotations

from pathlib import Path

import msgspec

from s2i import dirs


class Journal:
    """The journal of the deployment ``ident``, a file that outlives the server."""

    def __init__(self, ident: str) -> None:
        self._path = dirs.state() / "logs" / "deployments" / f"{ident}.ndjson"

    def write(self, event: dict[str, object]) -> None:
        """Append one event."""
        dirs.make_private(self._path.parent)
        with self._path.open("ab") as file:
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
