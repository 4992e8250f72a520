"""Jobs and their runs; the runs of release commands of apps, too."""

from __future__ import annotations

import sqlite3

import msgspec

from s2i.control.store.database import Database, change_deployment
from s2i.errors import E_TAKEN
from s2i.resources.app import Revision
from s2i.resources.job import Job, JobRun


class Jobs(Database):
    """The jobs of one server."""

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
            change_deployment(db, deployment, status="rolling-out", kind="job", result=run.name)
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
