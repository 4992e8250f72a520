"""Projects: those that somebody made, and those that are there because something is in them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from s2i.control.store.database import Database
from s2i.errors import E_NO_PROJECT, E_PROJECT
from s2i.resources.project import DEFAULT, NOTHING, Amounts, Project

USED = ("apps", "jobs", "deployments", "bundles")  # a row of one of these is something in a project
LEFT = ("revisions", "jobruns", "tasks", "events", "bundle_versions", "hours")  # what may outlive that


class Projects(Database):
    """The projects of one server."""

    def projects(self) -> tuple[Project, ...]:
        """Return every project, by name: also those that came to be by their use, and "default"."""
        made = {one.name: one for one in self._all(Project, "SELECT doc FROM projects")}
        query = " UNION ".join(f"SELECT project FROM {table}" for table in USED)  # noqa: S608
        with self._lock:
            used = {row[0] for row in self._db.execute(query)}
        return tuple(made.get(name, Project(name)) for name in sorted({DEFAULT, *made, *used}))

    def project(self, name: str) -> Project:
        """Return one project. Raises E_NO_PROJECT."""
        for one in self.projects():
            if one.name == name:
                return one
        raise E_NO_PROJECT(name=name)

    def limits(self, project: str) -> Amounts:
        """Return what a project may have, whether or not it is there."""
        found = self._all(Project, "SELECT doc FROM projects WHERE name = ?", project)
        return found[0].limits if found else NOTHING

    def create_project(self, one: Project) -> Project:
        """Record a new project; return it. Raises E_PROJECT when it is there."""
        with self._write():
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

    def _put_project(self, one: Project) -> Project:
        with self._write() as db:
            db.execute("INSERT OR REPLACE INTO projects VALUES (?, ?)", (one.name, msgspec.json.encode(one)))
        return one
