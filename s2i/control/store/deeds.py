"""The audit log: rows are added, and forgotten when they are old; the schema refuses everything else."""

from __future__ import annotations

import msgspec

from s2i.control.store.database import Database, decode
from s2i.resources.audit import Deed


class Deeds(Database):
    """What was done to one server."""

    def add_deed(self, one: Deed) -> None:
        """Add a row."""
        blob = msgspec.json.encode(one)
        with self._write() as db:
            db.execute("INSERT INTO audit (at, project, doc) VALUES (?, ?, ?)", (one.at, one.project, blob))

    def deeds(self, project: str = "", since: float = 0.0, most: int = 1000) -> tuple[Deed, ...]:
        """Return the newest rows since then, of one project or of all, in the order in which they came."""
        query = (
            "SELECT serial, doc FROM audit WHERE (?1 = '' OR project = ?1) AND at >= ?2 ORDER BY serial DESC LIMIT ?3"
        )
        with self._lock:
            rows = self._db.execute(query, (project, since, most)).fetchall()
        found = (msgspec.structs.replace(decode(doc, Deed), serial=serial) for serial, doc in rows)
        return tuple(found)[::-1]

    def forget_deeds(self, before: float) -> int:
        """Remove the rows of before then; return how many. The database refuses what is younger than LEAST_DAYS."""
        with self._write() as db:
            return db.execute("DELETE FROM audit WHERE at < ?", (before,)).rowcount
