"""`s2i project`, and which project a command means that does not say."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from s2i import cli, dirs
from s2i.cli import selection
from s2i.cli.dryrun import Found
from s2i.errors import E_PROJECT_DELETED

COUNTED = ("cpu", "memory", "instances", "apps", "jobs", "runs", "builds", "images", "volumes")
LIMITS = dict.fromkeys(COUNTED, 0) | {"cpu": 4.0, "memory": 8 << 30}
USED = dict.fromkeys(COUNTED, 0) | {"cpu": 1.0, "memory": 1 << 29, "instances": 2, "apps": 1, "images": 4_530_000_000}
FORECAST = USED | {"images": -1}


class Client:
    """A server that knows one project, and writes down what it is asked."""

    def __init__(self, holds: tuple[str, ...] = ()) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        self.found = {
            "name": "shop",
            "created": 0.0,
            "egress": "all",
            "limits": LIMITS,
            "used": USED,
            "forecast": FORECAST,
            "holds": holds,
        }

    def call(self, method: str, path: str, body: object = None, timeout: float = 0.0) -> Any:
        self.asked.append((method, path, body))
        lists = ("/projects", "/projects?deleted=true", "/apps")
        return [self.found] if path.endswith(lists) and method == "GET" else self.found


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client()
    monkeypatch.setattr("s2i.cli.client.connect", lambda: made)
    monkeypatch.delenv(selection.VARIABLE, raising=False)
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


def test_limits_are_sent_as_numbers_and_0_or_none_takes_one_off(run: Any, client: Client) -> None:
    words = ("--limit-cpu", "0.5", "--limit-memory", "8G", "--limit-instances", "20", "--limit-runs", "none")
    status, out, _ = run("project", "create", "shop", *words)
    assert (status, out) == (0, "project shop: 4 CPUs, 8G of memory\n")
    limits = {"cpu": 0.5, "memory": 8 << 30, "instances": 20, "runs": 0}
    assert client.asked == [("POST", "/v1/projects", {"name": "shop", "limits": limits})]
    run("project", "update", "shop", "--limit-cpu", "0", "--limit-apps", "NONE")
    assert client.asked[-1] == ("PATCH", "/v1/projects/shop", {"limits": {"cpu": 0, "apps": 0}})


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("create", "A"), "E_NAME"),
        (("create", "shop", "--limit-cpu", "x"), "E_LIMIT"),
        (("create", "shop", "--limit-cpu", "-1"), "E_LIMIT"),
        (("create", "shop", "--limit-memory", "8 GB"), "E_LIMIT"),
        (("create", "shop", "--limit-apps", "1.5"), "E_VALUE"),
        (("create", "shop", "--limit-apps", "\u0664"), "E_VALUE"),
        (("create", "shop", "--limit-jobs", "9" * 30), "E_VALUE"),
        (("update", "shop"), "E_VALUE"),
        (("get", "../x"), "E_NAME"),
        (("select", ""), "E_NAME"),
        (("delete", "x y", "--yes"), "E_NAME"),
    ],
)
def test_a_bad_value_asks_nobody(run: Any, client: Client, words: tuple[str, ...], code: str) -> None:
    status, _, said = run("project", *words)
    assert (status, f"({code}, exit 2)" in said, client.asked) == (2, True, [])


def test_a_project_is_shown_with_what_it_uses_may_come_to_and_may_have(run: Any, client: Client) -> None:
    _, out, _ = run("project", "get", "shop")
    rows = [line.split() for line in out.splitlines()]
    assert ["cpu", "1", "1", "4"] in rows
    assert ["memory", "512M", "512M", "8G"] in rows
    assert ["instances", "2", "2", "none"] in rows
    assert ["images", "4321M", "?", "none"] in rows
    assert json.loads(run("project", "get", "shop", "-o", "json")[1]) == {**client.found, "holds": []}


def test_a_command_means_the_option_else_the_variable_else_the_selection_else_default(
    run: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*words: str) -> str:
        run("job", "list", "-o", "json", *words)
        return str(client.asked[-1][1])

    assert asked() == "/v1/projects/default/jobs"
    assert run("project", "select", "shop")[:2] == (0, "selected shop\n")
    assert asked() == "/v1/projects/shop/jobs"
    monkeypatch.setenv("S2I_PROJECT", "")
    assert asked() == "/v1/projects/shop/jobs"
    monkeypatch.setenv("S2I_PROJECT", "other")
    assert asked() == "/v1/projects/other/jobs"
    assert asked("--project", "third") == "/v1/projects/third/jobs"
    assert (selection.words_for("other"), selection.words_for("default")) == ("", " --project default")


def test_current_says_which_and_why_and_asks_nobody(run: Any, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("project", "current")[1] == "default\n"
    assert not dirs.state().exists()
    selection.select("shop")
    assert json.loads(run("project", "current", "-o", "json")[1]) == {"name": "shop", "origin": "selected"}
    monkeypatch.setenv("S2I_PROJECT", "other")
    assert json.loads(run("project", "current", "-o", "json")[1]) == {"name": "other", "origin": "S2I_PROJECT"}
    assert client.asked == []


def test_a_selection_or_variable_that_cannot_be_says_where_it_stands(
    run: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    selection.select("shop")
    (dirs.state() / "project").write_bytes(b"\xff\x1b[2J")
    status, _, said = run("app", "list")
    assert (status, f"error: {dirs.state() / 'project'}: the project name" in said, "\x1b" in said) == (2, True, False)
    monkeypatch.setenv("S2I_PROJECT", "No")
    status, _, said = run("app", "list")
    assert (status, 'error: S2I_PROJECT: the project name "No" cannot be used' in said) == (2, True)
    assert client.asked == []


def test_a_project_with_something_in_it_is_not_deleted_without_force(run: Any, client: Client) -> None:
    client.found["holds"] = ("app web", "secret db")
    status, _, said = run("project", "delete", "shop", "--yes")
    assert (status, 'the project "shop" still has app web, secret db' in said) == (7, True)
    status, _, said = run("project", "delete", "shop", "--force")
    assert (status, "(E_UNCONFIRMED, exit 2)" in said) == (2, True)
    assert "Delete the project shop, with all that is in it: app web, secret db?" in said
    assert [method for method, _, _ in client.asked] == ["GET", "GET"]


def test_a_deleted_project_is_listed_restored_and_removed_for_good(
    run: Any, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.found |= {"deleted": 1.0, "until": 604801.0, "holds": ["app web"], "lost": ["web"]}
    rows = [line.split() for line in run("project", "list", "--deleted")[1].splitlines()]
    assert (rows[1][0], rows[1][-2:]) == ("shop", ["app", "web"])
    assert client.asked[-1][:2] == ("GET", "/v1/projects?deleted=true")
    status, out, said = run("project", "restore", "shop")
    assert (status, out, said) == (0, "restored shop\n", "app web: its image is gone, deploy it again\n")
    assert client.asked[-1][:2] == ("POST", "/v1/projects/shop/restore")
    _, out, said = run("project", "delete", "shop", "--force", "--yes")
    assert (out, "`s2i project restore shop` brings it back, until 1970-01-0" in said) == ("deleted shop\n", True)

    def deleted(method: str, path: str, body: object = None, timeout: float = 0.0) -> Any:
        client.asked.append((method, path, body))
        if method == "GET":
            raise E_PROJECT_DELETED(project="shop", until="tomorrow")
        return {"deleted": "shop", "until": 0.0}

    monkeypatch.setattr(client, "call", deleted)
    status, _, said = run("project", "delete", "shop", "--yes")
    assert (status, "`s2i project restore shop` brings it back" in said) == (2, True)
    status, _, said = run("project", "delete", "shop", "--hard")
    assert (status, "Remove for good the project shop?" in said) == (2, True)
    assert run("project", "delete", "shop", "--hard", "--yes")[:2] == (0, "deleted shop\n")
    assert client.asked[-1][:2] == ("DELETE", "/v1/projects/shop/hard")


def test_the_egress_is_sent_shown_and_checked(run: Any, client: Client) -> None:
    client.found["egress"] = "none"
    status, out, _ = run("project", "update", "shop", "--egress", "none")
    assert (status, out) == (0, "project shop: 4 CPUs, 8G of memory, egress none\n")
    assert client.asked == [("PATCH", "/v1/projects/shop", {"limits": {}, "egress": "none"})]
    assert "egress    none\n" in run("project", "get", "shop")[1]
    assert run("project", "update", "shop", "--egress", "some")[0] == 2


def test_nobody_is_asked_about_what_is_refused_anyway(run: Any, client: Client) -> None:
    run("project", "delete", "default")
    assert client.asked[-1][:2] == ("DELETE", "/v1/projects/default/unused")


@pytest.mark.parametrize(("words", "revision"), [(("--max-scale", "3"), False), (("--memory", "1G"), True)])
def test_a_dry_run_asks_whether_there_is_room(
    run: Any, client: Client, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], revision: bool
) -> None:
    monkeypatch.setattr("s2i.cli.dryrun.found_of", lambda project, name: Found(1, "sha256:a"))
    run("app", "update", "web", *words, "--dry-run", "--project", "shop")
    ((method, path, body),) = client.asked
    assert (method, path, body["revision"]) == ("POST", "/v1/projects/shop/apps/web/fits", revision)


def test_who_deletes_the_selected_project_looks_in_default_again(run: Any, client: Client) -> None:
    selection.select("shop")
    status, out, said = run("project", "delete", "shop", "--force", "--yes")
    assert (status, out) == (0, "deleted shop\n")
    assert said == "commands look in default from now on\n"
    assert client.asked[-1][:2] == ("DELETE", "/v1/projects/shop/force")
    assert selection.selected() == ""
