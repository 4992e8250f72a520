"""Jobs, their runs and the tasks of these; the runs of release commands of apps, too."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping

import msgspec

from s2i.control.store.database import HIDDEN, Database, change_deployment, checked_project, decode
from s2i.errors import E_RUN_ENDED, E_TAKEN
from s2i.resources import indices
from s2i.resources.app import Revision
from s2i.resources.job import OPEN_TASK, Attempt, Execution, Job, JobRun, Task, TaskStatus

ATTEMPTS_KEPT = 20  # of one task: those of a daemon are without number
ONCE = Execution(retry_limit=0)
_OPEN = "status IN ('pending', 'running')"


class Jobs(Database):
    """The jobs of one server."""

    def jobs(self, project: str | None = None, *, hidden: bool = False) -> tuple[Job, ...]:
        """Return the jobs (of one project), by name; with ``hidden`` those of deleted projects as well."""
        if project is None:
            query = f"SELECT doc FROM jobs WHERE ? OR project NOT IN ({HIDDEN}) ORDER BY project, name"  # noqa: S608
            return self._all(Job, query, hidden)
        return self._all(Job, "SELECT doc FROM jobs WHERE project = ? ORDER BY name", project)

    def job(self, project: str, name: str) -> Job:
        """Return one job. Raises E_NOT_FOUND."""
        return self._one(Job, "job", project, name, "SELECT doc FROM jobs WHERE project = ? AND name = ?")

    def accept_job(self, job: Job, deployment: str, created: float, run: Execution | None) -> JobRun | None:
        """Create ``job``, or replace it; ask for a run of it that goes as ``run`` says, and return that.

        What only others say stays: its schedule, and when it was created. Raises E_TAKEN when an app has the name.
        """
        key = (job.project, job.name)
        with self._write() as db:
            if db.execute("SELECT 1 FROM apps WHERE project = ? AND name = ?", key).fetchone():
                raise E_TAKEN(name=job.name, what="an app", project=job.project)
            row = db.execute("SELECT doc FROM jobs WHERE project = ? AND name = ?", key).fetchone()
            before = decode(row[0], Job) if row else None
            if before and before.service and not job.service:
                raise E_TAKEN(name=job.name, what="a service", project=job.project)
            job = msgspec.structs.replace(
                job,
                created=before.created if before else created,
                schedule=before.schedule if before else None,
                app=job.app or (before.app if before else ""),
            )
            _put_job(db, job)
            made = _add_run(db, run_of(job, created, run)) if run else None
            if deployment:
                change_deployment(db, deployment, status="rolling-out", kind="job", result=made.name if made else "")
        return made

    def change_job(self, project: str, name: str, change: Callable[[Job], Job]) -> Job:
        """Replace a job by what ``change`` makes of it; return that. Raises E_NOT_FOUND, and what ``change`` raises."""
        with self._write() as db:
            changed = change(self.job(project, name))
            _put_job(db, changed)
        return changed

    def delete_job(self, project: str, name: str) -> None:
        """Remove a job and its runs. Raises E_NOT_FOUND."""
        with self._write() as db:
            self.job(project, name)
            runs = db.execute("SELECT name FROM jobruns WHERE project = ? AND job = ?", (project, name)).fetchall()
            for (run,) in runs:
                _forget_run(db, project, run)
            for table in ("jobs", "events"):
                db.execute(f"DELETE FROM {table} WHERE project = ? AND name = ?", (project, name))  # noqa: S608

    def runs(self, project: str, job: str = "") -> tuple[JobRun, ...]:
        """Return the job runs of a project (of one job or app), newest first."""
        if job:
            query = "SELECT doc FROM jobruns WHERE project = ? AND job = ? ORDER BY serial DESC"
            return self._all(JobRun, query, project, job)
        return self._all(JobRun, "SELECT doc FROM jobruns WHERE project = ? ORDER BY serial DESC", project)

    def open_runs(self) -> tuple[JobRun, ...]:
        """Return every run that has not ended, oldest first."""
        return self._all(JobRun, f"SELECT doc FROM jobruns WHERE {_OPEN} ORDER BY serial")  # noqa: S608

    def run(self, project: str, name: str) -> JobRun:
        """Return one job run. Raises E_NOT_FOUND."""
        return self._one(JobRun, "jobrun", project, name, "SELECT doc FROM jobruns WHERE project = ? AND name = ?")

    def tasks(self, project: str, run: str) -> tuple[Task, ...]:
        """Return the tasks of a run, by index."""
        return self._all(Task, "SELECT doc FROM tasks WHERE project = ? AND run = ? ORDER BY number", project, run)

    def open_tasks(self) -> dict[tuple[str, str], list[Task]]:
        """Return every task that has not ended, by project and run: one query, however many."""
        found: dict[tuple[str, str], list[Task]] = {}
        query = f"SELECT doc FROM tasks WHERE {_OPEN} ORDER BY project, run, number"  # noqa: S608
        for one in self._all(Task, query):
            found.setdefault((one.project, one.run), []).append(one)
        return found

    def counts(self, project: str) -> dict[str, dict[TaskStatus, int]]:
        """Return how many tasks of each status the runs of a project have, by the names of the runs."""
        found: dict[str, dict[TaskStatus, int]] = {}
        query = "SELECT run, status, count(*) FROM tasks WHERE project = ? GROUP BY run, status"
        with self._lock:
            rows = self._db.execute(query, (project,)).fetchall()
        for run, status, count in rows:
            found.setdefault(run, {})[status] = count
        return found

    def accept_run(self, run: JobRun) -> JobRun:
        """Ask for a run; return it with its name. Raises E_NOT_FOUND when its job is gone."""
        with self._write() as db:
            self.job(run.project, run.job)
            return _add_run(db, run)

    def accept_ticks(self, ticks: Iterable[tuple[Job, float, JobRun | None]]) -> tuple[JobRun, ...]:
        """Record that the ticks of jobs are dealt with up to a time, and ask for the runs that came of it; all or none.

        A job whose schedule was changed meanwhile is left alone, with the run that it would have got.
        """
        made = []
        with self._write() as db:
            for job, since, run in ticks:
                row = db.execute(
                    "SELECT doc FROM jobs WHERE project = ? AND name = ?", (job.project, job.name)
                ).fetchone()
                now = decode(row[0], Job) if row else None
                if now is None or now.schedule is None or now.schedule != job.schedule:
                    continue
                schedule = msgspec.structs.replace(now.schedule, since=since)
                _put_job(db, msgspec.structs.replace(now, schedule=schedule))
                if run:
                    made.append(_add_run(db, run))
        return tuple(made)

    def accept_release(self, revision: Revision, created: float) -> JobRun:
        """Ask for a run of the release command of ``revision``; return it."""
        config = msgspec.structs.replace(revision.config, command=revision.release, arguments=())
        key = (revision.project, revision.app)
        made = JobRun(*key, "", revision.image, config, created=created, release=revision.number, execution=ONCE)
        with self._write() as db:
            return _add_run(db, made)

    def mark_running(self, task: Task, started: float) -> None:
        """Record that the current attempt of a task has begun."""
        with self._write() as db:
            now = _same_attempt(db, task)
            if now is None:
                return
            _put_task(db, msgspec.structs.replace(now, status="running", started=started))
            run = self.run(task.project, task.run)
            if run.status == "pending":
                _put_run(db, msgspec.structs.replace(run, status="running", started=run.started or started))

    def mark_ending(self, task: Task, why: str) -> None:
        """Record why the current attempt of a task is being ended: "timeout" or "cancelled"."""
        with self._write() as db:
            if now := _same_attempt(db, task):
                _put_task(db, msgspec.structs.replace(now, ending=why))

    def finish_attempt(self, task: Task, attempt: Attempt, status: TaskStatus, finished: float) -> JobRun | None:
        """Record the end of the current attempt of a task, and what the task is now: "pending" for one more.

        Return the run as it is then; None when it was deleted meanwhile, or that attempt has been recorded before.
        """
        with self._write() as db:
            now = _same_attempt(db, task)
            if now is None:
                return None
            attempts = (*now.attempts, attempt)[-ATTEMPTS_KEPT:]
            run = self.run(task.project, task.run)
            if run.cancelled and status == "pending":
                status = "cancelled"
            changed = msgspec.structs.replace(
                now, status=status, tries=now.tries + 1, attempts=attempts, started=0.0, ending=""
            )
            _put_task(db, changed)
            return self._with_end(db, msgspec.structs.replace(run, started=run.started or attempt.started), finished)

    def cancel_run(self, project: str, name: str, now: float) -> JobRun:
        """Ask for the end of a run: what waits is cancelled, what runs is ended by the loop; return the run.

        Raises E_NOT_FOUND, E_RUN_ENDED.
        """
        with self._write() as db:
            run = self.run(project, name)
            if run.status not in OPEN_TASK:
                advice = f"`s2i jobrun get {name} --project {project}` shows how"
                raise E_RUN_ENDED(run=name, done="cancelled", why=f"it has ended: {run.status}", advice=advice)
            run = msgspec.structs.replace(run, cancelled=True)
            for task in self.tasks(project, name):
                if task.status == "pending":
                    _put_task(db, msgspec.structs.replace(task, status="cancelled"))
            return self._with_end(db, run, now)

    def delete_run(self, project: str, name: str) -> None:
        """Remove a run (and end it, if it still runs). Raises E_NOT_FOUND."""
        with self._write() as db:
            self.run(project, name)
            _forget_run(db, project, name)

    def _with_end(self, db: sqlite3.Connection, run: JobRun, now: float) -> JobRun:
        """Record a run, and its end when all of its tasks have ended; return it."""
        counts = dict(
            db.execute(
                "SELECT status, count(*) FROM tasks WHERE project = ? AND run = ? GROUP BY status",
                (run.project, run.name),
            ).fetchall()
        )
        if not any(status in counts for status in OPEN_TASK):
            exit_, reason = _outcome(self.tasks(run.project, run.name))
            status = outcome(counts, cancelled=run.cancelled)
            run = msgspec.structs.replace(run, status=status, exit=exit_, reason=reason, finished=now)
        _put_run(db, run)
        return run


def run_of(job: Job, created: float, execution: Execution, data: str = "", scheduled: float = 0.0) -> JobRun:
    """Return a run of ``job`` that can be asked for: it has no name yet."""
    return JobRun(
        job.project,
        job.name,
        "",
        job.image,
        job.config,
        created=created,
        execution=execution,
        alias=job.name if job.service else "",
        data=data,
        scheduled=scheduled,
    )


def outcome(counts: Mapping[TaskStatus, int], *, cancelled: bool) -> TaskStatus:
    """Return what has become of a run all of whose tasks have ended, by how many ended how."""
    if cancelled and counts.get("cancelled"):
        return "cancelled"
    return next((status for status in ("failed", "timeout", "cancelled") if counts.get(status)), "succeeded")


def _outcome(tasks: tuple[Task, ...]) -> tuple[int | None, str]:
    """Return exit code and reason of the first task that did not succeed; (0, "") when all did."""
    for task in tasks:
        if task.status != "succeeded":
            last = task.attempts[-1] if task.attempts else Attempt(0, task.status)
            # One that was ended may have said good-bye with 0: that is no success.
            return last.exit or None, last.reason
    return 0, ""


def _add_run(db: sqlite3.Connection, run: JobRun) -> JobRun:
    """Record a run and its tasks, under the next name of its job or app; return it with that."""
    checked_project(db, run.project)
    number = _next_run(db, run.project, run.job)
    made = msgspec.structs.replace(run, name=f"{run.job}-{number}")
    row = (made.project, made.job, number, made.name, made.status, msgspec.json.encode(made))
    db.execute("INSERT INTO jobruns (project, job, number, name, status, doc) VALUES (?, ?, ?, ?, ?, ?)", row)
    for index in indices.parse(run.execution.array):
        _put_task(db, Task(made.project, made.name, made.job, index))
    return made


def _next_run(db: sqlite3.Connection, project: str, job: str) -> int:
    """Count runs for good: a name that comes again would adopt the container of the deleted run that had it."""
    counter = f"runs:{project}/{job}"
    db.execute("INSERT OR IGNORE INTO settings VALUES (?, '0')", (counter,))
    db.execute("UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE key = ?", (counter,))
    return int(db.execute("SELECT value FROM settings WHERE key = ?", (counter,)).fetchone()[0])


def _same_attempt(db: sqlite3.Connection, task: Task) -> Task | None:
    """Return a task as it is recorded, None when it is gone, has ended, or is at another attempt."""
    key = (task.project, task.run, task.index)
    row = db.execute("SELECT doc FROM tasks WHERE project = ? AND run = ? AND number = ?", key).fetchone()
    now = decode(row[0], Task) if row else None
    return now if now and now.status in OPEN_TASK and now.tries == task.tries else None


def _put_job(db: sqlite3.Connection, job: Job) -> None:
    db.execute("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)", (job.project, job.name, msgspec.json.encode(job)))


def _put_run(db: sqlite3.Connection, run: JobRun) -> None:
    query = "UPDATE jobruns SET status = ?, doc = ? WHERE project = ? AND name = ?"
    db.execute(query, (run.status, msgspec.json.encode(run), run.project, run.name))


def _put_task(db: sqlite3.Connection, task: Task) -> None:
    row = (task.project, task.run, task.index, task.status, msgspec.json.encode(task))
    db.execute("INSERT OR REPLACE INTO tasks VALUES (?, ?, ?, ?, ?)", row)


def _forget_run(db: sqlite3.Connection, project: str, run: str) -> None:
    for table, column, value in (("jobruns", "name", run), ("tasks", "run", run), ("events", "name", f"run:{run}")):
        db.execute(f"DELETE FROM {table} WHERE project = ? AND {column} = ?", (project, value))  # noqa: S608
