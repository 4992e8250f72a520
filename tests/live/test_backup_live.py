"""A server whose database is damaged says so and how to go back; what it knew goes on from its backup."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from home import FIXTURES, Home

CANARY = "canary-5d1e8f"


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18920)
        yield made
        made.run("server", "stop", "--all", "--yes")


def test_a_server_goes_on_from_a_backup_when_its_database_is_damaged(home: Home, tmp_path: Path) -> None:
    home.ok("secret", "create", "db", "--from-literal", f"PASSWORD={CANARY}")
    app = ("--env-from-secret", "db", "--min-scale", "1")
    url = home.ok("deploy", str(FIXTURES / "flask-hello" / "app"), "--name", "shop", *app)
    answer = home.answer_within(url, 10)
    file = tmp_path / "s2i.backup"
    assert "secrets are sealed: their key is not in it" in home.ok("server", "backup", str(file))
    assert CANARY.encode() not in file.read_bytes()
    home.kill_server()
    state = home.folder / "state"
    for name in ("s2i.db-wal", "s2i.db-shm"):
        (state / name).unlink(missing_ok=True)
    with (state / "s2i.db").open("r+b") as database:
        database.seek(100)
        database.write(b"\xff" * 30_000)
    refused = home.run("app", "list")
    assert (refused.returncode, "E_STORE" in refused.stderr, "`s2i server restore`" in refused.stderr) == (
        6,
        True,
        True,
    )
    assert "Traceback" not in refused.stderr
    assert home.answer_within(url, 10) == answer, "what runs serves on without its server"
    (kept,) = home.ok("server", "restore").splitlines()
    assert Path(kept).parent == state / "backups"
    said = home.ok("server", "restore", str(file), "--yes")
    assert f"kept what was there: {state}/before-" in said
    assert [one["status"] for one in home.data("app", "list")] == ["ready"]
    assert home.answer_within(url, 10) == answer
    home.ok("app", "restart", "shop")
    assert home.data("app", "get", "shop")["revision"] == 2
    refused = home.run("server", "restore", str(file), "--yes")
    assert (refused.returncode, "the server runs" in refused.stderr) == (2, True)
