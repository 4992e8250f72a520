"""What apps and jobs used, hour by hour."""

from __future__ import annotations

import msgspec

from s2i.control.store.database import Database, decode
from s2i.resources.usage import Hour


class Hours(Database):
    """The sums of one server."""

    def add_hours(self, more: tuple[Hour, ...], oldest: float) -> None:
        """Add to the sums of these hours; those before ``oldest`` (epoch seconds) go."""
        with self._write() as db:
            for one in more:
                key = (one.project, one.kind, one.name, one.hour)
                where = "project = ? AND kind = ? AND name = ? AND hour = ?"
                row = db.execute(f"SELECT doc FROM hours WHERE {where}", key).fetchone()  # noqa: S608
                old = decode(row[0], Hour) if row else Hour(*key)
                fields = ("cpu", "memory", "received", "sent")
                made = msgspec.structs.replace(
                    old, **{name: getattr(old, name) + getattr(one, name) for name in fields}
                )
                db.execute("INSERT OR REPLACE INTO hours VALUES (?, ?, ?, ?, ?)", (*key, msgspec.json.encode(made)))
            db.execute("DELETE FROM hours WHERE hour < ?", (oldest,))

    def hours(self, project: str, kind: str = "", name: str = "") -> tuple[Hour, ...]:
        """Return the sums of a project, of one kind, of one app or job; the oldest first."""
        query = (
            "SELECT doc FROM hours WHERE project = ?1 AND (?2 = '' OR kind = ?2) AND (?3 = '' OR name = ?3) "
            "ORDER BY hour, kind, name"
        )
        return self._all(Hour, query, project, kind, name)
