"""Secrets and configmaps, each version a row: what a revision was made with stays while that is kept."""

from __future__ import annotations

import msgspec

from s2i.control.store.database import Database, missing
from s2i.errors import E_BUNDLE
from s2i.resources.bundle import Bundle, BundleKind


class Bundles(Database):
    """The secrets and configmaps of one server. What a version holds is ``sealed``: nothing here can read it."""

    def bundles(self, project: str, kind: BundleKind) -> tuple[Bundle, ...]:
        """Return those of a project, by name."""
        query = "SELECT doc FROM bundles WHERE project = ? AND kind = ? ORDER BY name"
        return self._all(Bundle, query, project, kind)

    def bundle(self, project: str, kind: BundleKind, name: str) -> Bundle:
        """Return one. Raises E_NOT_FOUND."""
        query = "SELECT doc FROM bundles WHERE project = ? AND kind = ? AND name = ?"
        if found := self._all(Bundle, query, project, kind, name):
            return found[0]
        raise missing(kind, name, project)

    def sealed(self, project: str, kind: BundleKind, name: str, version: int) -> bytes | None:
        """Return what a version holds, as it was put; None when it is gone."""
        query = "SELECT sealed FROM bundle_versions WHERE project = ? AND kind = ? AND name = ? AND version = ?"
        with self._lock:
            row = self._db.execute(query, (project, kind, name, version)).fetchone()
        return bytes(row[0]) if row else None

    def every_sealed(self, project: str, kind: BundleKind, name: str = "") -> list[tuple[str, bytes]]:
        """Return the name and the content of each version of one that is kept, or of all in a project."""
        query = "SELECT name, sealed FROM bundle_versions WHERE project = ? AND kind = ? AND ? IN ('', name)"
        with self._lock:
            rows = self._db.execute(query, (project, kind, name)).fetchall()
        return [(row[0], bytes(row[1])) for row in rows if row[1]]

    def put_bundle(self, one: Bundle, sealed: bytes) -> Bundle:
        """Record a new one, or the next version of one that is there, ``one.version``; return it.

        Raises E_BUNDLE when another version came first.
        """
        key = (one.project, one.kind, one.name)
        with self._write() as db:
            query = "SELECT max(version) FROM bundle_versions WHERE project = ? AND kind = ? AND name = ?"
            last = db.execute(query, key).fetchone()[0] or 0
            there = [each for each in self.bundles(one.project, one.kind) if each.name == one.name]
            if (there[0].version if there else 0) != one.version - 1:
                why = "it is there already" if one.version == 1 else "somebody changed it at the same time"
                raise E_BUNDLE(kind=one.kind, name=one.name, why=why)
            # Versions are never given twice: a revision of before may still name one of a bundle that was deleted.
            made = msgspec.structs.replace(one, version=last + 1)
            db.execute("INSERT OR REPLACE INTO bundles VALUES (?, ?, ?, ?)", (*key, msgspec.json.encode(made)))
            db.execute("INSERT INTO bundle_versions VALUES (?, ?, ?, ?, ?)", (*key, made.version, sealed))
        return made

    def forget_versions(self, project: str, kind: BundleKind, name: str, keep: frozenset[int]) -> None:
        """Remove what the versions other than ``keep`` hold; the row of the newest stays, for its number."""
        key = (project, kind, name)
        with self._write() as db:
            query = "SELECT version FROM bundle_versions WHERE project = ? AND kind = ? AND name = ?"
            for (version,) in db.execute(query, key).fetchall():
                if version not in keep:
                    query = "UPDATE bundle_versions SET sealed = x'' WHERE project = ? AND kind = ? AND name = ?"
                    db.execute(f"{query} AND version = ?", (*key, version))

    def delete_bundle(self, project: str, kind: BundleKind, name: str) -> None:
        """Remove one. What its versions hold is removed by forget_versions. Raises E_NOT_FOUND."""
        self.bundle(project, kind, name)
        with self._write() as db:
            db.execute("DELETE FROM bundles WHERE project = ? AND kind = ? AND name = ?", (project, kind, name))
