"""Volumes: that they are there. What is in them only the engine knows."""

from __future__ import annotations

import msgspec

from s2i.control.store.database import Database, checked_project
from s2i.errors import E_NO_VOLUME, E_VOLUME
from s2i.resources.names import project_words
from s2i.resources.volume import Volume


class Volumes(Database):
    """The volumes of one server."""

    def volumes(self, project: str | None = None) -> tuple[Volume, ...]:
        """Return the volumes (of one project), by name; those of deleted projects, too."""
        query = "SELECT doc FROM volumes WHERE ?1 IS NULL OR project = ?1 ORDER BY project, name"
        return self._all(Volume, query, project)

    def volume(self, project: str, name: str) -> Volume:
        """Return one volume. Raises E_NO_VOLUME."""
        if found := self._all(Volume, "SELECT doc FROM volumes WHERE project = ? AND name = ?", project, name):
            return found[0]
        raise E_NO_VOLUME(name=name, project=project, words=project_words(project))

    def create_volume(self, one: Volume) -> Volume:
        """Record a new volume; return it. Raises E_VOLUME when it is there, E_PROJECT_DELETED."""
        with self._write() as db:
            checked_project(db, one.project)
            if there := [each for each in self.volumes(one.project) if each.name == one.name]:
                why = "it is just being deleted" if there[0].deleting else "it is there already"
                raise E_VOLUME(name=one.name, done="created", why=why, project=one.project)
            return self.put_volume(one)

    def put_volume(self, one: Volume) -> Volume:
        """Record a volume as it is now; return it."""
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO volumes VALUES (?, ?, ?)", (one.project, one.name, msgspec.json.encode(one))
            )
        return one

    def forget_volume(self, project: str, name: str) -> None:
        """Remove the record of a volume."""
        with self._write() as db:
            db.execute("DELETE FROM volumes WHERE project = ? AND name = ?", (project, name))
