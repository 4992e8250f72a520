"""Projects: those that somebody made, and those that are there because something is in them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from s2i.control.store.database import Database, checked_project
from s2i.errors import E_NO_PROJECT, E_PROJECT
from s2i.resources.project import DEFAULT, NOTHING, Amounts, Project

USED = ("apps", "jobs", "deployments", "bundles", "volumes")  # a row of one of these is something in a project
LEFT = ("revisions", "jobruns", "tasks", "events", "bundle_versions", "hours", "volumes")  # what may outlive that


class Projects(Database):
    """The projects of one server."""

    def projects(self) -> tuple[Project, ...]:
        """Return every project but deleted ones, by name: also those that came to be by their use, and "default"."""
        made = {one.name: one for one in self._all(Project, "SELECT doc FROM projects")}
        query = " UNION ".join(f"SELECT project FROM {table}" for table in USED)  # noqa: S608
        with self._lock:
            used = {row[0] for row in self._db.execute(query)}
        every = (made.get(name, Project(name)) for name in sorted({DEFAULT, *made, *used}))
        return tuple(one for one in every if not one.deleted)

    def deleted_projects(self) -> tuple[Project, ...]:
        """Return the projects that are deleted and can be restored, by name."""
        every = self._all(Project, "SELECT doc FROM projects ORDER BY name")
        return tuple(one for one in every if one.deleted)

    def closed_projects(self) -> tuple[str, ...]:
        """Return the projects whose containers reach nothing beyond, by name; deleted ones, too."""
        every = self._all(Project, "SELECT doc FROM projects ORDER BY name")
        return tuple(one.name for one in every if one.egress == "none")

    def check_project(self, name: str) -> None:
        """Return unless a project is deleted, whether or not there is one. Raises E_PROJECT_DELETED."""
        with self._lock:
            checked_project(self._db, name)

    def hide_project(self, name: str, now: float) -> Project:
        """Record that a project is deleted, since now unless it is already; return it. Raises E_NO_PROJECT."""
        with self._write():
            there = next((one for one in self.deleted_projects() if one.name == name), None)
            return there or self._put_project(msgspec.structs.replace(self.project(name), deleted=now))

    def show_project(self, name: str) -> None:
        """Record that a deleted project is restored."""
        with self._write():
            for one in self.deleted_projects():
                if one.name == name:
                    self._put_project(msgspec.structs.replace(one, deleted=0.0))

    def project(self, name: str) -> Project:
        """Return one project. Raises E_NO_PROJECT, E_PROJECT_DELETED."""
        self.check_project(name)
        for one in self.projects():
            if one.name == name:
                return one
        raise E_NO_PROJECT(name=name)

    def limits(self, project: str) -> Amounts:
        """Return what a project may have, whether or not it is there."""
        found = self._all(Project, "SELECT doc FROM projects WHERE name = ?", project)
        return found[0].limits if found else NOTHING

    def create_project(self, one: Project) -> Project:
        """Record a new project; return it. Raises E_PROJECT when it is there, E_PROJECT_DELETED."""
        with self._write():
            self.check_project(one.name)
            if any(each.name == one.name for each in self.projects()):
                advice = f"`s2i project update {one.name}` changes its limits"
                raise E_PROJECT(project=one.name, done="created", why="it is there already", advice=advice)
            return self._put_project(one)

    def change_project(self, name: str, change: Callable[[Project], Project]) -> Project:
        """Replace a project by what ``change`` makes of it; return that. Raises E_NO_PROJECT, what ``change`` does."""
        with self._write():
            return self._put_project(change(self.project(name)))

    def clear_project(self, name: str, *, forget: bool) -> None:
        """Remove what is left of a project that has no apps, jobs and bundles; with ``forget`` itself, too."""
        with self._write() as db:
            for table in LEFT:
                db.execute(f"DELETE FROM {table} WHERE project = ?", (name,))  # noqa: S608
            if forget:
                db.execute("DELETE FROM projects WHERE name = ?", (name,))
                db.execute("DELETE FROM members WHERE project = ?", (name,))

    def _put_project(self, one: Project) -> Project:
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO projects VALUES (?, ?)", (one.name, msgspec.json.encode(one)))
        return one
