"""A backup is whole or not there, holds no secret that can be read, and nothing is lost when it is put back."""

from __future__ import annotations

import io
import sqlite3
import tarfile
import threading
from pathlib import Path

import pytest

from s2i import dirs
from s2i.control import backup
from s2i.control.store import Store
from s2i.control.store.schema import MIGRATIONS, VERSION
from s2i.control.vault import KEY_FILE, Vault
from s2i.errors import S2IError
from s2i.resources.app import Deployment
from s2i.resources.bundle import Bundle

CANARY = b"canary-7f3a9c"
NOW = 1_795_000_000.0


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("S2I_HOME", str(tmp_path / "home"))
    return dirs.make_private(dirs.state())


@pytest.fixture
def store(state: Path) -> Store:
    return Store(state / backup.DATABASE)


def begun(store: Store, ident: str) -> None:
    store.open_deployment(Deployment(ident, "default", ident, "src", "building", NOW))


def known(store: Store) -> set[str]:
    return {one.id for one in store.deployments("default")}


def refused(call: object, *words: object) -> str:
    with pytest.raises(S2IError) as caught:
        call(*words)  # type: ignore[operator]
    assert caught.value.code == "E_BACKUP"
    return caught.value.message


def test_what_was_known_then_is_known_again_and_what_came_after_is_kept_beside(state: Path, store: Store) -> None:
    begun(store, "first")
    server = store.server
    made = backup.write(state, state / "a.backup", NOW)
    assert (made.server, made.schema, made.created, made.key) == (server, VERSION, NOW, False)
    begun(store, "second")
    store.close()
    done = backup.restore(state, state / "a.backup", NOW)
    again = Store(state / backup.DATABASE)
    assert known(again) == {"first"}
    assert again.server == made.server
    (before, *_) = done.before
    assert known(Store(before)) == {"first", "second"}
    assert (state / backup.DATABASE).stat().st_mode & 0o777 == 0o600


def test_a_backup_is_taken_while_the_database_is_written(state: Path, store: Store) -> None:
    ended = threading.Event()

    def write() -> None:
        number = 0
        while not ended.is_set():
            begun(store, f"d{number}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    for number in range(10):
        backup.write(state, state / f"{number}.backup", NOW)
    ended.set()
    writer.join()
    store.close()
    counts = []
    for number in range(10):
        backup.restore(state, state / f"{number}.backup", NOW)
        counts.append(len(known(restored := Store(state / backup.DATABASE))))
        restored.close()
    assert counts == sorted(counts)
    assert len(list(state.glob("before-*-s2i.db*"))) == 10, "what was there before is kept each time"
    assert counts[-1] > 0


@pytest.mark.parametrize("key", [False, True])
def test_secrets_are_sealed_in_it_and_its_key_comes_only_when_asked_for(state: Path, store: Store, key: bool) -> None:
    vault = Vault(store)
    one = vault.put(Bundle("default", "secret", "db"), {"PASSWORD": CANARY}, NOW)
    backup.write(state, state / "a.backup", NOW, key=key)
    assert (state / "a.backup").stat().st_mode & 0o777 == 0o600
    with tarfile.open(state / "a.backup") as archive:
        parts = {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]
    assert set(parts) == {"manifest.json", "s2i.db"} | ({KEY_FILE} if key else set())
    assert not any(CANARY in data for data in parts.values())
    store.close()
    (state / KEY_FILE).rename(state / "elsewhere")
    assert backup.restore(state, state / "a.backup", NOW).opens is key
    if not key:
        (state / "elsewhere").rename(state / KEY_FILE)
    assert Vault(Store(state / backup.DATABASE)).values(one) == {"PASSWORD": CANARY}


def test_a_damaged_database_makes_no_backup(state: Path, store: Store) -> None:
    for number in range(2000):
        begun(store, f"d{number}")
    store.close()
    with (state / backup.DATABASE).open("r+b") as file:
        file.seek(40_000)
        file.write(b"\xff" * 20_000)
    assert "the database" in refused(backup.write, state, state / "a.backup", NOW)
    assert [path.name for path in state.iterdir() if "backup" in path.name or path.name.startswith(".")] == []


def archive(path: Path, **parts: bytes) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for name, data in parts.items():
            entry = tarfile.TarInfo(name.replace("_", ".").replace("UP", "../"))
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({}, "it has no manifest.json"),
        ({"UPx": b""}, "it holds '../x'"),
        ({"manifest_json": b"{}"}, "it has no manifest.json"),
        ({"manifest_json": b'{"server":"s","created":1,"schema":1,"format":9}'}, "it is of format 9"),
        ({"manifest_json": b'{"server":"s","created":1,"schema":1}'}, "it has no s2i.db"),
        ({"manifest_json": b'{"server":"s","created":1,"schema":1}', "s2i_db": b"nothing"}, "the database"),
    ],
)
def test_what_is_no_backup_changes_nothing(
    state: Path, store: Store, tmp_path: Path, parts: dict[str, bytes], why: str
) -> None:
    begun(store, "first")
    store.close()
    assert why in refused(backup.restore, state, archive(tmp_path / "odd", **parts), NOW)
    assert known(Store(state / backup.DATABASE)) == {"first"}
    (tmp_path / "text").write_text("no archive at all")
    assert "it is no backup of s2i" in refused(backup.restore, state, tmp_path / "text", NOW)


def test_a_backup_of_a_newer_s2i_is_refused(state: Path, store: Store) -> None:
    store.close()
    with sqlite3.connect(state / backup.DATABASE) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    backup.write(state, state / "a.backup", NOW)
    assert f"a newer s2i made it (schema {VERSION + 1}" in refused(backup.restore, state, state / "a.backup", NOW)


def test_a_file_that_is_there_is_not_replaced_unless_that_is_asked_for(state: Path, store: Store) -> None:
    (state / "a.backup").write_text("precious")
    assert "there is such a file already" in refused(backup.write, state, state / "a.backup", NOW)
    backup.write(state, state / "a.backup", NOW, replace=True)
    assert refused(backup.write, state, state / "none" / "a.backup", NOW).endswith("No such file or directory")


def test_the_newest_of_those_that_a_server_makes_by_itself_are_kept(state: Path, store: Store) -> None:
    for hour in range(backup.KEEP + 3):
        backup.keep(state, NOW + hour * 3600)
    assert len(backup.kept(state)) == backup.KEEP
    assert backup.kept(state)[0] == backup.keep(state, NOW + (backup.KEEP + 2) * 3600)


def test_a_database_of_an_older_s2i_is_kept_as_it_was_when_it_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "s2i.db"
    with sqlite3.connect(path) as db:
        for step in MIGRATIONS[0]:
            db.execute(step)
        db.execute("PRAGMA user_version = 1")
        db.execute("INSERT INTO settings VALUES ('server', 'abc')")
    assert Store(path).server == "abc"
    kept = tmp_path / f"before-schema-{VERSION}-s2i.db"
    with sqlite3.connect(kept) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT value FROM settings").fetchone() == ("abc",)
