"""Copies of what a server knows: taken while it runs, checked before one is put back. Sealed values stay sealed."""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

import s2i
from s2i.control.store.schema import VERSION, copy
from s2i.control.vault import KEY_FILE
from s2i.errors import E_BACKUP, S2IError

DATABASE, MANIFEST = "s2i.db", "manifest.json"
BESIDE = ("-wal", "-shm")  # of a database that somebody writes
FORMAT = 1
PARTS = (MANIFEST, DATABASE, KEY_FILE)
SIZE_LIMIT = 4 << 30  # bytes of one part
FOLDER, KEEP = "backups", 24  # those that the server makes by itself, one an hour


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is of. ``created`` in epoch seconds; ``schema`` of its database; ``key``: it opens the secrets."""

    server: str
    created: float
    schema: int
    version: str = s2i.__version__
    format: int = FORMAT
    key: bool = False


class Restored(msgspec.Struct, frozen=True):
    """What was put back, where the files are that were there before, and whether secrets can be opened with it."""

    manifest: Manifest
    before: tuple[Path, ...] = ()
    opens: bool = True


def write(state: Path, target: Path, now: float, *, key: bool = False, replace: bool = False) -> Manifest:
    """Write a backup of the database in ``state`` to ``target``, whole or not at all; return what it is of.

    With ``key`` the key of the secrets goes into it: whoever has it can read them then. Raises E_BACKUP.
    """
    if not (state / DATABASE).exists():
        advice = "it comes with the first app, job or secret"
        raise E_BACKUP(what=target, done="made", why=f"there is no database in {state} yet", advice=advice)
    if target.exists() and not replace:
        raise E_BACKUP(
            what=target, done="made", why="there is such a file already", advice="choose another name, or --force"
        )
    with _told(target, "made"), tempfile.TemporaryDirectory(prefix=".s2i-", dir=target.absolute().parent) as folder:
        files = {DATABASE: Path(folder) / DATABASE}
        with contextlib.closing(sqlite3.connect(state / DATABASE)) as db:
            copy(db, files[DATABASE])
        manifest = msgspec.structs.replace(_manifest(files[DATABASE], target, "made"), created=now)
        if key and (state / KEY_FILE).exists():
            files[KEY_FILE], manifest = state / KEY_FILE, msgspec.structs.replace(manifest, key=True)
        draft = Path(folder) / "backup"
        with draft.open("xb") as file:
            draft.chmod(0o600)
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
                data = msgspec.json.encode(manifest)
                archive.addfile(_entry(MANIFEST, len(data), now), io.BytesIO(data))
                for name, path in files.items():
                    with path.open("rb") as part:
                        archive.addfile(_entry(name, path.stat().st_size, now), part)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    return manifest


def restore(state: Path, source: Path, now: float) -> Restored:
    """Put a backup in the place of what is in ``state``, which is kept beside it. Raises E_BACKUP.

    No server may run meanwhile.
    """
    with _told(source, "restored"), tempfile.TemporaryDirectory(prefix=".s2i-", dir=state) as folder:
        manifest = _unpacked(source, Path(folder))
        _check(Path(folder) / DATABASE, source)
        before = tuple(_aside(state, now, keys=manifest.key))
        for name in (DATABASE, *((KEY_FILE,) if manifest.key else ())):
            (Path(folder) / name).replace(state / name)
    return Restored(manifest, before, manifest.key or (state / KEY_FILE).exists())


def keep(state: Path, now: float) -> Path:
    """Write one of the backups that the server makes by itself, and remove the oldest past KEEP. Raises E_BACKUP."""
    folder = state / FOLDER
    with _told(folder, "made"):
        folder.mkdir(mode=0o700, exist_ok=True)
    target = folder / time.strftime("s2i-%Y%m%d-%H%M%S.backup", time.gmtime(now))
    write(state, target, now, replace=True)
    for old in kept(state)[KEEP:]:
        old.unlink(missing_ok=True)
    return target


def kept(state: Path) -> list[Path]:
    """Return the backups that the server made by itself, the newest first."""
    return sorted((state / FOLDER).glob("s2i-*.backup"), reverse=True)


def _check(database: Path, backup: Path) -> None:
    found = _manifest(database, backup, "restored")
    if found.schema > VERSION:
        why = f"a newer s2i made it (schema {found.schema}, this one knows {VERSION})"
        raise E_BACKUP(what=backup, done="restored", why=why, advice="use that newer s2i")


def _manifest(database: Path, backup: Path, done: str) -> Manifest:
    """Return what a copy of a database is of. Raises E_BACKUP when it is damaged."""
    with contextlib.closing(sqlite3.connect(database)) as db:
        if (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            why = f"the database is damaged: {found}"
            raise E_BACKUP(what=backup, done=done, why=why, advice="take an older backup")
        row = db.execute("SELECT value FROM settings WHERE key = 'server'").fetchone()
        schema = db.execute("PRAGMA user_version").fetchone()[0]
    return Manifest(row[0] if row else "", 0.0, schema)


def _unpacked(source: Path, folder: Path) -> Manifest:
    """Write the parts of a backup into ``folder``: those by name that there can be, and no other."""
    with tarfile.open(source, "r:gz") as archive:
        for entry in archive:
            if entry.name not in PARTS or not entry.isreg() or entry.size > SIZE_LIMIT:
                raise _strange(source, f"it holds {entry.name!r}")
            part = archive.extractfile(entry)
            assert part is not None
            with (folder / entry.name).open("xb") as file:
                (folder / entry.name).chmod(0o600)
                while piece := part.read(1 << 20):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, msgspec.MsgspecError):
        raise _strange(source, f"it has no {MANIFEST}") from None
    if manifest.format != FORMAT:
        raise _strange(source, f"it is of format {manifest.format}")
    missing = [name for name in (DATABASE, *((KEY_FILE,) if manifest.key else ())) if not (folder / name).exists()]
    if missing:
        raise _strange(source, f"it has no {missing[0]}")
    return manifest


def _aside(state: Path, now: float, *, keys: bool) -> Iterator[Path]:
    """Move away what is in the place of what is put back: nothing is lost by a restore."""
    stamp, number = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)), 1
    while any(state.glob(f"before-{stamp}-{number}-*")):
        number += 1
    for name in (DATABASE, *(f"{DATABASE}{end}" for end in BESIDE), *((KEY_FILE,) if keys else ())):
        path = state / name
        if path.exists():
            yield path.replace(path.with_name(f"before-{stamp}-{number}-{name}"))


def _entry(name: str, size: int, now: float) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, int(now), 0o600
    return entry


def _strange(source: Path, why: str) -> S2IError:
    return E_BACKUP(what=source, done="restored", why=f"it is no backup of s2i: {why}", advice="name another file")


@contextlib.contextmanager
def _told(what: Path, done: str) -> Iterator[None]:
    """Tell what the machine or a file does not let happen. Raises E_BACKUP."""
    try:
        yield
    except (tarfile.TarError, EOFError) as error:
        raise _strange(what, str(error)) from None
    except sqlite3.Error as error:
        raise E_BACKUP(what=what, done=done, why=f"the database: {error}", advice="take an older backup") from None
    except OSError as error:
        advice = "see that there is room, and that the folder can be written"
        raise E_BACKUP(what=what, done=done, why=error.strerror or error, advice=advice) from None
