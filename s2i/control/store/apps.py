"""Apps, and their revisions, tags and domains."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

import msgspec

from s2i.control.store.database import HIDDEN, Database, change_deployment, decode
from s2i.errors import E_BUSY, E_DOMAIN_TAKEN, E_NO_SUCH_REVISION, E_TAKEN, E_TRAFFIC
from s2i.resources.app import App, Domain, Revision, RevisionStatus
from s2i.resources.change import Change, routing_after, scale_after
from s2i.resources.names import project_words

NO_CHANGE = Change()


class Apps(Database):
    """The apps of one server."""

    def apps(self, project: str | None = None, *, hidden: bool = False) -> tuple[App, ...]:
        """Return the apps (of one project), by name; with ``hidden`` those of deleted projects as well."""
        if project is None:
            query = f"SELECT doc FROM apps WHERE ? OR project NOT IN ({HIDDEN}) ORDER BY project, name"  # noqa: S608
            return self._all(App, query, hidden)
        return self._all(App, "SELECT doc FROM apps WHERE project = ? ORDER BY name", project)

    def app(self, project: str, name: str) -> App:
        """Return one app. Raises E_NOT_FOUND."""
        return self._one(App, "app", project, name, "SELECT doc FROM apps WHERE project = ? AND name = ?")

    def revisions(self, project: str, app: str) -> tuple[Revision, ...]:
        """Return the revisions of an app that are kept, oldest first."""
        return self._all(
            Revision, "SELECT doc FROM revisions WHERE project = ? AND app = ? ORDER BY number", project, app
        )

    def revisions_by_app(self, project: str | None = None) -> dict[tuple[str, str], list[Revision]]:
        """Return the revisions of every app (of one project), oldest first: one query, however many apps."""
        query = "SELECT doc FROM revisions WHERE ?1 IS NULL OR project = ?1 ORDER BY project, app, number"
        found: dict[tuple[str, str], list[Revision]] = {}
        for one in self._all(Revision, query, project):
            found.setdefault((one.project, one.app), []).append(one)
        return found

    def revision(self, project: str, app: str, number: int) -> Revision:
        """Return one revision. Raises E_NOT_FOUND."""
        query = "SELECT doc FROM revisions WHERE project = ? AND app = ? AND number = ?"
        if found := self._all(Revision, query, project, app, number):
            return found[0]
        self.app(project, app)
        raise E_NO_SUCH_REVISION(number=number, app=app, words=project_words(project))

    def accept_revision(self, revision: Revision, deployment: str, change: Change = NO_CHANGE) -> Revision:
        """Make ``revision`` the one that its app is to serve, under the next number; return it with that.

        One that was stopped is started. ``change`` of the app's scale and routing holds from now on.

        Raises E_TAKEN when a job has the name, E_BUSY while the app is being deleted.
        """
        key = (revision.project, revision.app)
        with self._write() as db:
            if db.execute("SELECT 1 FROM jobs WHERE project = ? AND name = ?", key).fetchone():
                raise E_TAKEN(name=revision.app, what="a job", project=revision.project)
            row = db.execute("SELECT doc FROM apps WHERE project = ? AND name = ?", key).fetchone()
            app = decode(row[0], App) if row else App(*key, target=0, created=revision.created)
            if app.deleting:
                raise E_BUSY(name=app.name, holder="it is being deleted")
            query = "SELECT coalesce(max(number), 0) FROM revisions WHERE project = ? AND app = ?"
            last: int = db.execute(query, key).fetchone()[0]
            made = msgspec.structs.replace(revision, number=last + 1)
            app = _with_settings(app, change)
            _put_app(db, msgspec.structs.replace(app, target=made.number, reason="", stopped=False))
            _put_revision(db, made)
            change_deployment(db, deployment, status="rolling-out", kind="app", revision=made.number)
        return made

    def mark_serving(self, project: str, name: str, number: int) -> None:
        """Record that revision ``number`` serves now; the one before it is retired, and what to fall back to."""
        with self._write() as db:
            app = self.app(project, name)
            if app.serving and app.serving != number:
                old = self.revision(project, name, app.serving)
                _put_revision(db, msgspec.structs.replace(old, status="retired"))
            found = self.revision(project, name, number)
            _put_revision(db, msgspec.structs.replace(found, status="serving"))
            fallback = 0 if app.stopped or app.traffic or app.serving == number else app.serving
            app = _with_tag(app, found)
            _put_app(db, msgspec.structs.replace(app, serving=number, reason="", fallback=fallback))

    def mark_settled(self, project: str, name: str) -> None:
        """Record that what serves has stayed up: there is nothing to fall back to any more."""
        self._change_app(project, name, fallback=0)

    def mark_ready(self, project: str, name: str, number: int) -> None:
        """Record that revision ``number`` could serve, and that the requests stay where they go, if anywhere."""
        with self._write() as db:
            app = self.app(project, name)
            stays = tuple(sorted(app.percents.items()))
            status: RevisionStatus = "ready" if stays else "serving"
            found = self.revision(project, name, number)
            _put_revision(db, msgspec.structs.replace(found, status=status))
            app = _with_tag(app, found)
            changes = {"serving": number, "target": number, "traffic": stays, "reason": "", "fallback": 0}
            _put_app(db, msgspec.structs.replace(app, **changes))

    def set_traffic(self, project: str, name: str, traffic: tuple[tuple[int, int], ...]) -> App:
        """Send the requests of an app to revisions by percent, () to the newest that can serve; return the app.

        Raises E_NOT_FOUND, E_TRAFFIC.
        """
        with self._write() as db:
            app = self.app(project, name)
            for number, _ in traffic:
                if (found := self.revision(project, name, number)).status in ("starting", "failed"):
                    raise E_TRAFFIC(what=f"traffic to revision {number}", why=f"it is {found.status}")
            changed = msgspec.structs.replace(app, traffic=tuple(sorted(traffic)), fallback=0)
            for one in self.revisions(project, name):
                status: RevisionStatus = "serving" if one.number in changed.percents else "retired"
                if one.status not in ("starting", "failed", status):
                    _put_revision(db, msgspec.structs.replace(one, status=status))
            _put_app(db, changed)
        return changed

    def set_tags(self, project: str, name: str, tags: Mapping[str, int], untag: Collection[str] = ()) -> App:
        """Give revisions names beside those that there are, without ``untag``; return the app.

        Raises E_NOT_FOUND, E_TRAFFIC.
        """
        with self._write() as db:
            app = self.app(project, name)
            for tag, number in tags.items():
                if (found := self.revision(project, name, number)).status in ("starting", "failed"):
                    raise E_TRAFFIC(what=f"the tag {tag} of revision {number}", why=f"it is {found.status}")
            if unknown := [tag for tag in untag if tag not in dict(app.tags)]:
                raise E_TRAFFIC(what=f"to untag {unknown[0]}", why="there is no such tag")
            kept = {tag: number for tag, number in app.tags if tag not in untag} | dict(tags)
            changed = msgspec.structs.replace(app, tags=tuple(sorted(kept.items())))
            _put_app(db, changed)
        return changed

    def change_settings(self, project: str, name: str, change: Change) -> App:
        """Change how many instances an app may have, and how requests come to it; return it.

        Raises E_NOT_FOUND, E_REQUEST, E_LIMIT.
        """
        with self._write() as db:
            changed = _with_settings(self.app(project, name), change)
            _put_app(db, changed)
        return changed

    def map_domain(self, project: str, name: str, domain: Domain) -> App:
        """Let a domain lead to an app, or change how it does; return the app. Raises E_NOT_FOUND, E_DOMAIN_TAKEN."""
        with self._write() as db:
            app = self.app(project, name)
            for other in self.apps(hidden=True):
                if other != app and any(one.host == domain.host for one in other.domains):
                    raise E_DOMAIN_TAKEN(host=domain.host, app=other.name, project=other.project)
            kept = [one for one in app.domains if one.host != domain.host]
            changed = msgspec.structs.replace(app, domains=(*kept, domain))
            _put_app(db, changed)
        return changed

    def unmap_domain(self, project: str, name: str, host: str) -> App:
        """Let a domain lead to an app no more; return the app. Raises E_NOT_FOUND."""
        with self._write() as db:
            app = self.app(project, name)
            changed = msgspec.structs.replace(app, domains=tuple(one for one in app.domains if one.host != host))
            _put_app(db, changed)
        return changed

    def set_stopped(self, project: str, name: str, stopped: bool) -> App:
        """Let nothing of an app run any more, or let it run again; return it. Raises E_NOT_FOUND."""
        return self._change_app(project, name, stopped=stopped, fallback=0)

    def release_revision(self, project: str, name: str, number: int) -> None:
        """Let revision ``number`` get traffic, when it has not failed meanwhile."""
        with self._write() as db:
            found = self.revision(project, name, number)
            if found.status == "starting":
                _put_revision(db, msgspec.structs.replace(found, held=False))

    def mark_failed(self, project: str, name: str, number: int, reason: str) -> int:
        """Record that revision ``number`` failed; the app goes on with what it served before, if anything.

        Return the revision that serves again when it was the one that did, else 0.
        """
        with self._write() as db:
            app, revision = self.app(project, name), self.revision(project, name, number)
            _put_revision(db, msgspec.structs.replace(revision, status="failed", reason=reason))
            back = app.fallback if app.serving == number else 0
            if back:
                again = self.revision(project, name, back)
                _put_revision(db, msgspec.structs.replace(again, status="serving"))
                app = msgspec.structs.replace(app, serving=back, fallback=0)
            if app.target == number:
                app = msgspec.structs.replace(app, target=app.serving, reason=reason)
            _put_app(db, app)
        return back

    def delete_app(self, project: str, name: str) -> None:
        """Ask for the end of an app. Raises E_NOT_FOUND."""
        self._change_app(project, name, deleting=True)

    def forget_app(self, project: str, name: str) -> None:
        """Remove an app, its revisions and events: nothing of it runs any more."""
        with self._write() as db:
            runs = "SELECT name FROM jobruns WHERE project = ? AND job = ?"
            db.execute(f"DELETE FROM tasks WHERE project = ? AND run IN ({runs})", (project, project, name))  # noqa: S608
            for table, column in (("apps", "name"), ("revisions", "app"), ("events", "name"), ("jobruns", "job")):
                db.execute(f"DELETE FROM {table} WHERE project = ? AND {column} = ?", (project, name))  # noqa: S608

    def forget_revision(self, project: str, name: str, number: int) -> None:
        """Remove one old revision."""
        with self._write() as db:
            db.execute("DELETE FROM revisions WHERE project = ? AND app = ? AND number = ?", (project, name, number))

    def _change_app(self, project: str, name: str, **changes: object) -> App:
        with self._write() as db:
            changed = msgspec.structs.replace(self.app(project, name), **changes)
            _put_app(db, changed)
        return changed


def _with_tag(app: App, revision: Revision) -> App:
    tags = dict(app.tags) | ({revision.tag: revision.number} if revision.tag else {})
    return msgspec.structs.replace(app, tags=tuple(sorted(tags.items())))


def _with_settings(app: App, change: Change) -> App:
    scale, routing = scale_after(change, app.scale), routing_after(change, app.routing)
    return msgspec.structs.replace(app, scale=scale, routing=routing)


def _put_app(db: sqlite3.Connection, app: App) -> None:
    db.execute("INSERT OR REPLACE INTO apps VALUES (?, ?, ?)", (app.project, app.name, msgspec.json.encode(app)))


def _put_revision(db: sqlite3.Connection, one: Revision) -> None:
    row = (one.project, one.app, one.number, msgspec.json.encode(one))
    db.execute("INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, ?)", row)
