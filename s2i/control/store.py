"""What was asked for, and what happened: the only SQL. What runs is read from the engine, not from here.

Each document is one msgspec JSON blob beside the columns that it is looked up by.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from s2i.control.schema import migrate
from s2i.errors import E_BUSY, E_DOMAIN_TAKEN, E_NOT_FOUND, E_STORE, E_TAKEN, E_TRAFFIC, S2IError
from s2i.resources.app import App, Deployment, Domain, Event, Revision, RevisionStatus
from s2i.resources.change import Change, routing_after, scale_after
from s2i.resources.job import Job, JobRun
from s2i.resources.names import project_words

BUSY_SECONDS = 30.0
KEEP_EVENTS = 200  # of one app or job, and of one kind: what happens often leaves what happens rarely

T = TypeVar("T")
NO_CHANGE = Change()


class Store:
    """The database of one server. Every method is one transaction; all are safe to call from any thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the database at ``path``. Raises E_STORE when it is damaged or newer than this program."""
        self._lock = threading.RLock()
        self._path = path
        try:
            self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            self._file = path.stat().st_ino
            # FULL: what was acknowledged survives a loss of power too; writes here are rare.
            for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
                self._db.execute(f"PRAGMA {pragma}")
            if (found := self._db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                raise E_STORE(path=path, why=f"it is damaged: {found}")
            migrate(self._db, path)
        except sqlite3.Error as error:
            raise E_STORE(path=path, why=error) from None

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._db.close()

    @property
    def server(self) -> str:
        """The id of this server: the label on all that it makes."""
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO settings VALUES ('server', ?)", (secrets.token_hex(6),))
            row: tuple[str] = db.execute("SELECT value FROM settings WHERE key = 'server'").fetchone()
        return row[0]

    def state(self) -> tuple[int, int]:
        """Return what is another whenever anything in the database is."""
        with self._lock:
            others: tuple[int] = self._db.execute("PRAGMA data_version").fetchone()
            return self._db.total_changes, others[0]

    # Apps and revisions ---------------------------------------------------------------------------------------

    def apps(self, project: str | None = None) -> tuple[App, ...]:
        """Return the apps (of one project), by name."""
        if project is None:
            return self._all(App, "SELECT doc FROM apps ORDER BY project, name")
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
        raise _missing("app", f"{app} revision {number}", project)

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
            app = _decode(row[0], App) if row else App(*key, target=0, created=revision.created)
            if app.deleting:
                raise E_BUSY(name=app.name, holder="it is being deleted")
            query = "SELECT coalesce(max(number), 0) FROM revisions WHERE project = ? AND app = ?"
            last: int = db.execute(query, key).fetchone()[0]
            made = msgspec.structs.replace(revision, number=last + 1)
            app = _with_settings(app, change)
            _put_app(db, msgspec.structs.replace(app, target=made.number, reason="", stopped=False))
            _put_revision(db, made)
            _change_deployment(db, deployment, status="rolling-out", kind="app", revision=made.number)
        return made

    def mark_serving(self, project: str, name: str, number: int) -> None:
        """Record that revision ``number`` serves now; the one before it is retired."""
        with self._write() as db:
            app = self.app(project, name)
            if app.serving and app.serving != number:
                old = self.revision(project, name, app.serving)
                _put_revision(db, msgspec.structs.replace(old, status="retired"))
            found = self.revision(project, name, number)
            _put_revision(db, msgspec.structs.replace(found, status="serving"))
            _put_app(db, msgspec.structs.replace(_with_tag(app, found), serving=number, reason=""))

    def mark_ready(self, project: str, name: str, number: int) -> None:
        """Record that revision ``number`` could serve, and that the requests stay where they go, if anywhere."""
        with self._write() as db:
            app = self.app(project, name)
            stays = tuple(sorted(app.percents.items()))
            status: RevisionStatus = "ready" if stays else "serving"
            found = self.revision(project, name, number)
            _put_revision(db, msgspec.structs.replace(found, status=status))
            app = _with_tag(app, found)
            _put_app(db, msgspec.structs.replace(app, serving=number, target=number, traffic=stays, reason=""))

    def set_traffic(self, project: str, name: str, traffic: tuple[tuple[int, int], ...]) -> App:
        """Send the requests of an app to revisions by percent, () to the newest that can serve; return the app.

        Raises E_NOT_FOUND, E_TRAFFIC.
        """
        with self._write() as db:
            app = self.app(project, name)
            for number, _ in traffic:
                if (found := self.revision(project, name, number)).status in ("starting", "failed"):
                    raise E_TRAFFIC(what=f"traffic to revision {number}", why=f"it is {found.status}")
            changed = msgspec.structs.replace(app, traffic=tuple(sorted(traffic)))
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
            for other in self.apps():
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
        return self._change_app(project, name, stopped=stopped)

    def release_revision(self, project: str, name: str, number: int) -> None:
        """Let revision ``number`` get traffic, when it has not failed meanwhile."""
        with self._write() as db:
            found = self.revision(project, name, number)
            if found.status == "starting":
                _put_revision(db, msgspec.structs.replace(found, held=False))

    def mark_failed(self, project: str, name: str, number: int, reason: str) -> None:
        """Record that revision ``number`` failed; the app goes on with what it served before, if anything."""
        with self._write() as db:
            app, revision = self.app(project, name), self.revision(project, name, number)
            _put_revision(db, msgspec.structs.replace(revision, status="failed", reason=reason))
            if app.target == number:
                _put_app(db, msgspec.structs.replace(app, target=app.serving, reason=reason))

    def delete_app(self, project: str, name: str) -> None:
        """Ask for the end of an app. Raises E_NOT_FOUND."""
        self._change_app(project, name, deleting=True)

    def forget_app(self, project: str, name: str) -> None:
        """Remove an app, its revisions and events: nothing of it runs any more."""
        with self._write() as db:
            for table, column in (("apps", "name"), ("revisions", "app"), ("events", "name"), ("jobruns", "job")):
                db.execute(f"DELETE FROM {table} WHERE project = ? AND {column} = ?", (project, name))  # noqa: S608

    def forget_revision(self, project: str, name: str, number: int) -> None:
        """Remove one old revision."""
        with self._write() as db:
            db.execute("DELETE FROM revisions WHERE project = ? AND app = ? AND number = ?", (project, name, number))

    # Jobs and runs --------------------------------------------------------------------------------------------

    def jobs(self, project: str | None = None) -> tuple[Job, ...]:
        """Return the jobs (of one project), by name."""
        if project is None:
            return self._all(Job, "SELECT doc FROM jobs ORDER BY project, name")
        return self._all(Job, "SELECT doc FROM jobs WHERE project = ? ORDER BY name", project)

    def job(self, project: str, name: str) -> Job:
        """Return one job. Raises E_NOT_FOUND."""
        return self._one(Job, "job", project, name, "SELECT doc FROM jobs WHERE project = ? AND name = ?")

    def delete_job(self, project: str, name: str) -> None:
        """Remove a job and its runs. Raises E_NOT_FOUND."""
        with self._write() as db:
            self.job(project, name)
            for table, column in (("jobs", "name"), ("jobruns", "job"), ("events", "name")):
                db.execute(f"DELETE FROM {table} WHERE project = ? AND {column} = ?", (project, name))  # noqa: S608

    def runs(self, project: str) -> tuple[JobRun, ...]:
        """Return the job runs of a project, newest first."""
        return self._all(JobRun, "SELECT doc FROM jobruns WHERE project = ? ORDER BY serial DESC", project)

    def open_runs(self) -> tuple[JobRun, ...]:
        """Return every run that has not ended, oldest first."""
        return self._all(JobRun, "SELECT doc FROM jobruns WHERE status IN ('pending', 'running') ORDER BY serial")

    def run(self, project: str, name: str) -> JobRun:
        """Return one job run. Raises E_NOT_FOUND."""
        return self._one(JobRun, "jobrun", project, name, "SELECT doc FROM jobruns WHERE project = ? AND name = ?")

    def accept_run(self, job: Job, deployment: str, created: float) -> JobRun:
        """Create or replace ``job`` and ask for a run of it. Raises E_TAKEN when an app has the name."""
        key = (job.project, job.name)
        with self._write() as db:
            if db.execute("SELECT 1 FROM apps WHERE project = ? AND name = ?", key).fetchone():
                raise E_TAKEN(name=job.name, what="an app", project=job.project)
            db.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", (*key, msgspec.json.encode(job)))
            run = _add_run(db, JobRun(*key, "", job.image, job.config, created=created))
            _change_deployment(db, deployment, status="rolling-out", kind="job", result=run.name)
        return run

    def accept_release(self, revision: Revision, created: float) -> JobRun:
        """Ask for a run of the release command of ``revision``; return it."""
        config = msgspec.structs.replace(revision.config, command=revision.release, arguments=())
        key = (revision.project, revision.app)
        with self._write() as db:
            return _add_run(db, JobRun(*key, "", revision.image, config, created=created, release=revision.number))

    def put_run(self, run: JobRun) -> None:
        """Record what became of a run; a run that was deleted meanwhile stays deleted."""
        with self._write() as db:
            db.execute(
                "UPDATE jobruns SET status = ?, doc = ? WHERE project = ? AND name = ?",
                (run.status, msgspec.json.encode(run), run.project, run.name),
            )

    def delete_run(self, project: str, name: str) -> None:
        """Remove a run (and end it, if it still runs). Raises E_NOT_FOUND."""
        with self._write() as db:
            self.run(project, name)
            db.execute("DELETE FROM jobruns WHERE project = ? AND name = ?", (project, name))

    # Deployments and events -----------------------------------------------------------------------------------

    def open_deployment(self, new: Deployment, *, queue: bool = False) -> Deployment:
        """Record a deployment that begins; return it as it is recorded.

        While another one of the same name is under way it is "queued", with ``queue``: one that was queued before is
        superseded. Raises E_BUSY without, and while a job runs, which can take for ever.
        """
        with self._write() as db:
            holder = _holder(db, new)
            if holder and (not queue or holder.kind == "job"):
                raise _busy(holder)
            query = "SELECT id FROM deployments WHERE project = ? AND name = ? AND status = 'queued'"
            for (ident,) in db.execute(query, (new.project, new.name)).fetchall():
                _change_deployment(db, ident, status="superseded")
            made = msgspec.structs.replace(new, status="queued") if holder else new
            row = (made.id, made.project, made.name, made.status, made.created, msgspec.json.encode(made))
            db.execute("INSERT INTO deployments VALUES (?, ?, ?, ?, ?, ?)", row)
        return made

    def take_turn(self, ident: str) -> Deployment | None:
        """Let a queued deployment begin unless another one of its name is under way: then return that."""
        with self._write() as db:
            row = db.execute("SELECT doc FROM deployments WHERE id = ?", (ident,)).fetchone()
            one = _decode(row[0], Deployment)
            if one.status != "queued" or (holder := _holder(db, one)) is None:
                if one.status == "queued":
                    _change_deployment(db, ident, status="building")
                return None
        return holder

    def change_deployment(self, deployment: str, **changes: object) -> Deployment:
        """Replace fields of a deployment and return it."""
        with self._write() as db:
            return _change_deployment(db, deployment, **changes)

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

    def clear(self) -> None:
        """Forget everything but the server's id and the counters of runs."""
        with self._write() as db:
            for table in ("apps", "revisions", "jobs", "jobruns", "deployments", "events"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608

    # The database ---------------------------------------------------------------------------------------------

    def _change_app(self, project: str, name: str, **changes: object) -> App:
        with self._write() as db:
            changed = msgspec.structs.replace(self.app(project, name), **changes)
            _put_app(db, changed)
        return changed

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            # A file that was removed or replaced while it is open takes every write, and forgets it with the server.
            if not self._path.exists() or self._path.stat().st_ino != self._file:
                raise E_STORE(path=self._path, why="it was removed or replaced while the server ran")
            try:
                # IMMEDIATE: a transaction that reads first and locks later fails at once when another one wrote.
                self._db.execute("BEGIN IMMEDIATE")
                with self._db:
                    yield self._db
            except sqlite3.Error as error:
                raise E_STORE(path=self._path, why=error) from None

    def _all(self, kind: type[T], query: str, *values: object) -> tuple[T, ...]:
        with self._lock:
            try:
                return tuple(_decode(row[0], kind) for row in self._db.execute(query, values))
            except (sqlite3.Error, msgspec.MsgspecError) as error:
                raise E_STORE(path=self._path, why=error) from None

    def _one(self, kind: type[T], what: str, project: str, name: str, query: str) -> T:
        if found := self._all(kind, query, project, name):
            return found[0]
        raise _missing(what, name, project)


def _decode(blob: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(blob, type=kind)


def _missing(what: str, name: str, project: str) -> S2IError:
    return E_NOT_FOUND(what=what, thing={"jobrun": "job run"}.get(what, what), name=name, project=project)


def _with_tag(app: App, revision: Revision) -> App:
    tags = dict(app.tags) | ({revision.tag: revision.number} if revision.tag else {})
    return msgspec.structs.replace(app, tags=tuple(sorted(tags.items())))


def _with_settings(app: App, change: Change) -> App:
    scale, routing = scale_after(change, app.scale), routing_after(change, app.routing)
    return msgspec.structs.replace(app, scale=scale, routing=routing)


def _holder(db: sqlite3.Connection, one: Deployment) -> Deployment | None:
    """Return the deployment of the same name that is under way."""
    query = "SELECT doc FROM deployments WHERE project = ? AND name = ? AND status IN ('building', 'rolling-out')"
    row = db.execute(query, (one.project, one.name)).fetchone()
    return _decode(row[0], Deployment) if row else None


def _busy(other: Deployment) -> S2IError:
    """Return who holds a name, and how to end it."""
    if other.kind == "job":
        end = f"s2i jobrun delete {other.result} --yes{project_words(other.project)}"
        return E_BUSY(name=other.name, holder=f"its run {other.result} goes on", advice=f"wait, or end it: `{end}`")
    if other.status == "building":
        advice = "wait until that has ended, or press Ctrl-C where it was started; then try again"
        return E_BUSY(name=other.name, holder=f"{other.source} is being built", advice=advice)
    return E_BUSY(name=other.name, holder=f"its revision {other.revision} is being rolled out")


def _add_run(db: sqlite3.Connection, run: JobRun) -> JobRun:
    """Record a run under the next name of its job or app; return it with that."""
    number = _next_run(db, run.project, run.job)
    made = msgspec.structs.replace(run, name=f"{run.job}-{number}")
    row = (made.project, made.job, number, made.name, made.status, msgspec.json.encode(made))
    db.execute("INSERT INTO jobruns (project, job, number, name, status, doc) VALUES (?, ?, ?, ?, ?, ?)", row)
    return made


def _next_run(db: sqlite3.Connection, project: str, job: str) -> int:
    """Count runs for good: a name that comes again would adopt the container of the deleted run that had it."""
    counter = f"runs:{project}/{job}"
    db.execute("INSERT OR IGNORE INTO settings VALUES (?, '0')", (counter,))
    db.execute("UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE key = ?", (counter,))
    return int(db.execute("SELECT value FROM settings WHERE key = ?", (counter,)).fetchone()[0])


def _put_app(db: sqlite3.Connection, app: App) -> None:
    db.execute("INSERT OR REPLACE INTO apps VALUES (?, ?, ?)", (app.project, app.name, msgspec.json.encode(app)))


def _put_revision(db: sqlite3.Connection, one: Revision) -> None:
    row = (one.project, one.app, one.number, msgspec.json.encode(one))
    db.execute("INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, ?)", row)


def _change_deployment(db: sqlite3.Connection, ident: str, **changes: object) -> Deployment:
    row = db.execute("SELECT doc FROM deployments WHERE id = ?", (ident,)).fetchone()
    if row is None:
        raise _missing("deployment", ident, "")
    changed = msgspec.structs.replace(_decode(row[0], Deployment), **changes)
    blob = msgspec.json.encode(changed)
    db.execute("UPDATE deployments SET status = ?, doc = ? WHERE id = ?", (changed.status, blob, ident))
    return changed
