"""The tables of the store, one migration after the other."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from s2i.errors import E_STORE

# Version n is what the database is after MIGRATIONS[:n]. Entries are only ever added.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE apps (project TEXT, name TEXT, doc BLOB NOT NULL, PRIMARY KEY (project, name))",
        "CREATE TABLE revisions (project TEXT, app TEXT, number INTEGER, doc BLOB NOT NULL, "
        "PRIMARY KEY (project, app, number))",
        "CREATE TABLE deployments (id TEXT PRIMARY KEY, project TEXT NOT NULL, name TEXT NOT NULL, "
        "status TEXT NOT NULL, created REAL NOT NULL, doc BLOB NOT NULL)",
        "CREATE INDEX deployments_by_name ON deployments (project, name, status)",
        "CREATE TABLE jobs (project TEXT, name TEXT, doc BLOB NOT NULL, PRIMARY KEY (project, name))",
        "CREATE TABLE jobruns (serial INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, job TEXT NOT NULL, "
        "number INTEGER NOT NULL, name TEXT NOT NULL, status TEXT NOT NULL, doc BLOB NOT NULL, "
        "UNIQUE (project, name))",
        "CREATE TABLE events (serial INTEGER PRIMARY KEY AUTOINCREMENT, project TEXT NOT NULL, name TEXT NOT NULL, "
        "doc BLOB NOT NULL)",
        "CREATE INDEX events_by_name ON events (project, name)",
    ),
    (
        "CREATE TABLE tasks (project TEXT, run TEXT, number INTEGER, status TEXT NOT NULL, doc BLOB NOT NULL, "
        "PRIMARY KEY (project, run, number))",
        "CREATE INDEX tasks_open ON tasks (status) WHERE status IN ('pending', 'running')",
        # What a server of before has begun goes on as an array of one.
        "INSERT INTO tasks SELECT project, name, 0, status, CAST(json_object('project', project, 'run', name, "
        "'job', job, 'index', 0, 'status', status) AS BLOB) FROM jobruns WHERE status IN ('pending', 'running')",
    ),
    (
        "CREATE TABLE bundles (project TEXT, kind TEXT, name TEXT, doc BLOB NOT NULL, "
        "PRIMARY KEY (project, kind, name))",
        "CREATE TABLE bundle_versions (project TEXT, kind TEXT, name TEXT, version INTEGER, sealed BLOB NOT NULL, "
        "PRIMARY KEY (project, kind, name, version))",
        "CREATE TABLE hours (project TEXT, kind TEXT, name TEXT, hour REAL, doc BLOB NOT NULL, "
        "PRIMARY KEY (project, kind, name, hour))",
    ),
    ("CREATE TABLE projects (name TEXT PRIMARY KEY, doc BLOB NOT NULL)",),
    (
        "CREATE TABLE tokens (name TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, doc BLOB NOT NULL)",
        "CREATE TABLE members (project TEXT, token TEXT NOT NULL, role TEXT NOT NULL, PRIMARY KEY (project, token))",
        "CREATE TABLE audit (serial INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, project TEXT NOT NULL, "
        "doc BLOB NOT NULL)",
        "CREATE INDEX audit_by_time ON audit (at)",
        "CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN "
        "SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
        # What INSERT OR REPLACE replaces, no trigger of DELETE is told of.
        "CREATE TRIGGER audit_replace BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE serial = NEW.serial) BEGIN "
        "SELECT RAISE(ABORT, 'the audit log is only ever added to'); END",
        # 30 days, by the clock of the database: who asks cannot say what time it is.
        "CREATE TRIGGER audit_delete BEFORE DELETE ON audit "
        "WHEN OLD.at > CAST(strftime('%s', 'now') AS INTEGER) - 2592000 BEGIN "
        "SELECT RAISE(ABORT, 'the audit log keeps what is younger than that'); END",
    ),
    ("CREATE TABLE volumes (project TEXT, name TEXT, doc BLOB NOT NULL, PRIMARY KEY (project, name))",),
)
VERSION = len(MIGRATIONS)


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Bring the database to VERSION in one transaction; what it was is kept beside it. Raises E_STORE when it is newer.

    The way back to an older s2i is that copy.
    """
    if (found := _version(db)) == VERSION:
        return
    if 0 < found < VERSION:
        copy(db, path.with_name(f"before-schema-{VERSION}-{path.name}"))
    db.execute("BEGIN IMMEDIATE")
    with db:
        found = _version(db)  # again: another process may have been faster
        if found > VERSION:
            why = f"a newer s2i made it (schema {found}, this one knows {VERSION})"
            raise E_STORE(path=path, why=why, advice="use that newer s2i: its data cannot be read by an older one")
        for steps in MIGRATIONS[found:]:
            for step in steps:
                db.execute(step)
        db.execute(f"PRAGMA user_version = {VERSION}")


def _version(db: sqlite3.Connection) -> int:
    row: tuple[int] = db.execute("PRAGMA user_version").fetchone()
    return row[0]


def copy(db: sqlite3.Connection, target: Path) -> None:
    """Write a database, as it is at one moment, to a file for its owner alone. Raises sqlite3.Error."""
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(target)) as made:
        target.chmod(0o600)
        db.backup(made)
        made.execute("PRAGMA journal_mode = DELETE")  # one file, with none beside it
