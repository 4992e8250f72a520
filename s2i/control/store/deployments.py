"""Deployments, one at a time for each name; and what happened."""

from __future__ import annotations

import sqlite3

import msgspec

from s2i.control.store.database import Database, change_deployment, checked_project, decode
from s2i.errors import E_BUSY, S2IError
from s2i.resources.app import Deployment, Event
from s2i.resources.names import project_words

KEEP_EVENTS = 200  # of one app or job, and of one kind: what happens often leaves what happens rarely


class Deployments(Database):
    """The deployments of one server, and the events of its apps and jobs."""

    def open_deployment(self, new: Deployment, *, queue: bool = False) -> Deployment:
        """Record a deployment that begins; return it as it is recorded.

        While another one of the same name is under way it is "queued", with ``queue``: one that was queued before is
        superseded. Raises E_BUSY without, and while a job runs, which can take for ever; E_PROJECT_DELETED.
        """
        with self._write() as db:
            checked_project(db, new.project)
            holder = _holder(db, new)
            if holder and (not queue or holder.kind == "job"):
                raise _busy(holder)
            query = "SELECT id FROM deployments WHERE project = ? AND name = ? AND status = 'queued'"
            for (ident,) in db.execute(query, (new.project, new.name)).fetchall():
                change_deployment(db, ident, status="superseded")
            made = msgspec.structs.replace(new, status="queued") if holder else new
            row = (made.id, made.project, made.name, made.status, made.created, msgspec.json.encode(made))
            db.execute("INSERT INTO deployments VALUES (?, ?, ?, ?, ?, ?)", row)
        return made

    def take_turn(self, ident: str) -> Deployment | None:
        """Let a queued deployment begin unless another one of its name is under way: then return that."""
        with self._write() as db:
            row = db.execute("SELECT doc FROM deployments WHERE id = ?", (ident,)).fetchone()
            one = decode(row[0], Deployment)
            if one.status != "queued" or (holder := _holder(db, one)) is None:
                if one.status == "queued":
                    change_deployment(db, ident, status="building")
                return None
        return holder

    def change_deployment(self, deployment: str, **changes: object) -> Deployment:
        """Replace fields of a deployment and return it."""
        with self._write() as db:
            return change_deployment(db, deployment, **changes)

    def deployment(self, project: str, ident: str) -> Deployment:
        """Return one deployment. Raises E_NOT_FOUND."""
        query = "SELECT doc FROM deployments WHERE project = ? AND id = ?"
        return self._one(Deployment, "deployment", project, ident, query)

    def deployments(self, project: str | None = None) -> tuple[Deployment, ...]:
        """Return the deployments (of one project), newest first."""
        if project is None:
            return self._all(Deployment, "SELECT doc FROM deployments ORDER BY created DESC")
        return self._all(Deployment, "SELECT doc FROM deployments WHERE project = ? ORDER BY created DESC", project)

    def building(self) -> frozenset[tuple[str, str]]:
        """Return the project and name of each deployment that is being built."""
        with self._lock:
            rows = self._db.execute("SELECT project, name FROM deployments WHERE status = 'building'").fetchall()
        return frozenset((project, name) for project, name in rows)

    def forget_deployment(self, ident: str) -> None:
        """Remove the record of an ended deployment."""
        with self._write() as db:
            db.execute("DELETE FROM deployments WHERE id = ?", (ident,))

    def record(self, event: Event) -> None:
        """Add an event; the oldest of the same kind, and app or job, beyond KEEP_EVENTS go."""
        key = (event.project, event.name)
        kind = "json_extract(CAST(doc AS TEXT), '$.what') = ?"
        with self._write() as db:
            db.execute("INSERT INTO events (project, name, doc) VALUES (?, ?, ?)", (*key, msgspec.json.encode(event)))
            db.execute(
                f"DELETE FROM events WHERE project = ? AND name = ? AND {kind} AND serial NOT IN "  # noqa: S608
                f"(SELECT serial FROM events WHERE project = ? AND name = ? AND {kind} ORDER BY serial DESC LIMIT ?)",
                (*key, event.what, *key, event.what, KEEP_EVENTS),
            )

    def events(self, project: str, name: str) -> tuple[Event, ...]:
        """Return what happened to an app or a job, oldest first."""
        return self._all(Event, "SELECT doc FROM events WHERE project = ? AND name = ? ORDER BY serial", project, name)


def _holder(db: sqlite3.Connection, one: Deployment) -> Deployment | None:
    """Return the deployment of the same name that is under way."""
    query = "SELECT doc FROM deployments WHERE project = ? AND name = ? AND status IN ('building', 'rolling-out')"
    row = db.execute(query, (one.project, one.name)).fetchone()
    return decode(row[0], Deployment) if row else None


def _busy(other: Deployment) -> S2IError:
    """Return who holds a name, and how to end it."""
    if other.kind == "job":
        end = f"s2i jobrun cancel {other.result}{project_words(other.project)}"
        return E_BUSY(name=other.name, holder=f"its run {other.result} goes on", advice=f"wait, or end it: `{end}`")
    if other.status == "building":
        advice = "wait until that has ended, or press Ctrl-C where it was started; then try again"
        return E_BUSY(name=other.name, holder=f"{other.source} is being built", advice=advice)
    return E_BUSY(name=other.name, holder=f"its revision {other.revision} is being rolled out")
