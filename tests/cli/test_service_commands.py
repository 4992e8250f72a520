"""`s2i service`, `s2i volume`, and binding: what is asked of the server, what is refused before, what people are told."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from s2i import cli
from s2i.cli import binding, services
from s2i.cli.dryrun import Found
from s2i.resources.app import Config
from s2i.resources.service import binding as given

SERVICE = {
    "name": "db",
    "kind": "postgres",
    "host": "db",
    "port": 5432,
    "status": "running",
    "reason": "",
    "answers": True,
    "users": ["app shop"],
    "secret": "db-service",
    "volume": "db",
    "run": "db-1",
    "created": 0.0,
}


class Client:
    """A server with one service, which writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.found = dict(SERVICE)

    def call(self, method: str, path: str, body: object = None, timeout: float = 0.0) -> Any:
        self.asked.append((method, path, body))
        if path.endswith("/jobs/report"):
            return {"config": {"env": [["REDIS_URL", "x"]]}}
        return [self.found] if path.endswith("/services") and method == "GET" else self.found

    def lines(self, path: str, **query: object) -> Any:
        yield "{}"
        yield json.dumps({"line": "it cannot begin"})

    def pieces(self, path: str) -> Any:
        yield b"PGDMP"
        if self.found["reason"]:
            raise ConnectionError("cut")


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    monkeypatch.setattr("s2i.cli.client.connect", lambda: made)
    return made


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def one(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["s2i", *words])
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return one


def test_a_service_is_made_and_waited_for(run: Any, client: Client) -> None:
    status, out, _ = run("service", "create", "postgres", "db", "--memory", "64M", "--project", "a")
    assert (status, out) == (0, "postgres db: db:5432 for the apps of the project a\n")
    body = {"name": "db", "kind": "postgres", "memory": 64 << 20}
    assert client.asked == [
        ("POST", "/v1/projects/a/services", body),
        ("GET", "/v1/projects/a/services/db", None),
    ]


def test_one_that_never_answers_is_told_with_the_last_lines_that_it_wrote(
    run: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "WAIT_SECONDS", 0.0)
    client.found |= {"answers": False, "reason": "exit code 1"}
    status, _, err = run("service", "create", "postgres", "db")
    assert (status, "E_SERVICE_SILENT" in err) == (6, True)
    assert "does not answer within 0 s: exit code 1\n  it cannot begin" in err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("service", "create", "postgres", "Db"), "E_NAME"),
        (("service", "create", "postgres", "db", "--memory", "1k"), "E_LIMIT"),
        (("service", "delete", "db"), "E_UNCONFIRMED"),
        (("service", "restore", "db", __file__), "E_UNCONFIRMED"),
        (("volume", "create", "/"), "E_NAME"),
        (("volume", "create", ".."), "E_NAME"),
        (("volume", "delete", "data"), "E_UNCONFIRMED"),
        (("job", "bind", "report", "db"), ""),
        (("job", "unbind", "report", "db"), "E_VALUE"),
        (("app", "create", "shop", ".", "--mount-volume", "/data=/etc"), "E_MOUNT"),
    ],
)
def test_what_cannot_be_is_refused_and_removes_nothing(run: Any, client: Client, words: Any, code: str) -> None:
    status, _, err = run(*words)
    assert (status, code in err) == (2 if code else 0, True)
    assert not [one for one in client.asked if one[0] == "DELETE" or "/restore" in one[1]]


def test_a_variable_that_is_set_already_is_refused_and_a_prefix_goes_round_it(run: Any, client: Client) -> None:
    client.found["kind"] = "redis"
    status, _, err = run("job", "bind", "report", "cache")
    assert (status, "REDIS_URL" in err, "--prefix CACHE_" in err) == (2, True, True)
    assert run("job", "bind", "report", "cache", "--prefix", "CACHE_")[0] == 0
    references = client.asked[-1][2]["change"].env_from
    assert [one.variable for one in references] == ["CACHE_REDIS_URL", "CE_SERVICES"]


def test_an_app_that_is_bound_already_can_be_bound_to_another(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found(config=Config(env_from=given("cache", "redis")))
    monkeypatch.setattr("s2i.cli.dryrun.found_of", lambda *_: found)
    assert binding._wanted("default", "db", "", found.config) == given("db", "postgres")


def test_a_backup_is_for_its_owner_and_replaces_nothing(run: Any, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "db.dump"
    assert run("service", "backup", "db", str(file))[0] == 0
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"PGDMP", 0o600)
    assert (run("service", "backup", "db", str(file))[0], run("service", "backup", "db", str(file), "--force")[0]) == (
        6,
        0,
    )


def test_a_backup_that_is_cut_off_leaves_no_file(run: Any, client: Client, tmp_path: Path) -> None:
    client.found["reason"] = "cut"
    assert run("service", "backup", "db", str(tmp_path / "db.dump"))[0] != 0
    assert list(tmp_path.iterdir()) == []


def test_services_are_listed_with_who_is_bound(run: Any, client: Client) -> None:
    assert "db    postgres  answers  app shop" in run("service", "list")[1]
    assert "bound to  app shop" in run("service", "get", "db")[1]
