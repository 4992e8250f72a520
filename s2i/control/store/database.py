"""The database of one server, and how every table of it is read and written."""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from s2i.control.store.schema import migrate
from s2i.errors import E_DISK, E_NOT_FOUND, E_PROJECT_DELETED, E_STORE, S2IError
from s2i.resources.app import Deployment
from s2i.resources.project import Project

BUSY_SECONDS = 30.0
PRIMARY = 0xFF  # of an error's code: the rest says more

# The projects that are deleted and can be restored: what lists of all projects leave out.
HIDDEN = "SELECT name FROM projects WHERE json_extract(CAST(doc AS TEXT), '$.deleted') > 0"

T = TypeVar("T")


class Database:
    """One file. Every method is one transaction; all are safe to call from any thread."""

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
            raise _failure(path, error) from None

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

    @contextlib.contextmanager
    def as_one(self) -> Iterator[None]:
        """Make one transaction of all that is done within: what is raised takes all of it back."""
        with self._write():
            yield

    @contextlib.contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._db.in_transaction:  # of who called, who holds the lock: its end is theirs, too
                yield self._db
                return
            # A file that was removed or replaced while it is open takes every write, and forgets it with the server.
            if not self._path.exists() or self._path.stat().st_ino != self._file:
                raise E_STORE(path=self._path, why="it was removed or replaced while the server ran")
            try:
                # IMMEDIATE: a transaction that reads first and locks later fails at once when another one wrote.
                self._db.execute("BEGIN IMMEDIATE")
                with self._db:
                    yield self._db
            except sqlite3.Error as error:
                raise _failure(self._path, error) from None

    def _all(self, kind: type[T], query: str, *values: object) -> tuple[T, ...]:
        with self._lock:
            try:
                return tuple(decode(row[0], kind) for row in self._db.execute(query, values))
            except OverflowError:
                return ()  # a number of more than 64 bits, which no row can have
            except (sqlite3.Error, msgspec.MsgspecError) as error:
                raise _failure(self._path, error) from None

    def _one(self, kind: type[T], what: str, project: str, name: str, query: str) -> T:
        if found := self._all(kind, query, project, name):
            return found[0]
        raise missing(what, name, project)


def _failure(path: Path, error: Exception) -> S2IError:
    """Return what to say of an error of the database: of a full disk, that room is all it takes."""
    code = getattr(error, "sqlite_errorcode", 0)
    full = code == sqlite3.SQLITE_FULL
    if not full and code & PRIMARY == sqlite3.SQLITE_IOERR:
        with contextlib.suppress(OSError):
            full = os.statvfs(path.parent).f_bavail == 0
    return E_DISK(why=f"{path}: {error}") if full else E_STORE(path=path, why=error)


def decode(blob: bytes, kind: type[T]) -> T:
    return msgspec.json.decode(blob, type=kind)


def checked_project(db: sqlite3.Connection, name: str) -> None:
    """Return unless a project is deleted, and can be restored: nothing new comes into it. Raises E_PROJECT_DELETED."""
    row = db.execute(f"SELECT doc FROM projects WHERE name = ? AND name IN ({HIDDEN})", (name,)).fetchone()  # noqa: S608
    if row:
        ends = datetime.datetime.fromtimestamp(decode(row[0], Project).ends).astimezone()
        raise E_PROJECT_DELETED(project=name, until=f"{ends:%Y-%m-%d %H:%M}")


def missing(what: str, name: str, project: str) -> S2IError:
    thing, listed = {"jobrun": "job run"}.get(what, what), {"deployment": "app"}.get(what, what)
    return E_NOT_FOUND(what=listed, thing=thing, name=name, project=project)


def change_deployment(db: sqlite3.Connection, ident: str, **changes: object) -> Deployment:
    """Replace fields of a deployment, in the transaction of who asks; return it."""
    row = db.execute("SELECT doc FROM deployments WHERE id = ?", (ident,)).fetchone()
    if row is None:
        raise missing("deployment", ident, "")
    changed = msgspec.structs.replace(decode(row[0], Deployment), **changes)
    blob = msgspec.json.encode(changed)
    db.execute("UPDATE deployments SET status = ?, doc = ? WHERE id = ?", (changed.status, blob, ident))
    return changed
