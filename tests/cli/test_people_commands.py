"""`s2i token`, `s2i project member`, `s2i audit`: what they ask of the API, and what they print."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from s2i import cli

TOKEN = {"name": "ci", "admin": False, "created": 1.0, "expires": 0.0, "used": 0.0, "roles": {}, "token": "s2i_secret"}
DEED = {
    "at": 1.0,
    "who": "ci",
    "where": "10.0.0.9",
    "verb": "app scale",
    "project": "shop",
    "name": "web",
    "status": 200,
    "code": "",
    "before": {"scale": {"max": 10, "min": 0}},
    "after": {"scale": {"max": 4, "min": 0}},
}


class Client:
    """A server that writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []

    def call(self, method: str, path: str, body: object = None, timeout: float = 0.0) -> Any:
        self.asked.append((method, path, body))
        if "/audit" in path:
            return [DEED, {**DEED, "verb": "app delete", "code": "E_ROLE", "before": {}, "after": {}}]
        if path.endswith("/members"):
            return [{"project": "shop", "token": "ci", "role": "writer"}]
        if path == "/v1/tokens" and method == "GET":
            return [{**TOKEN, "token": "", "roles": {"shop": "writer"}}, {**TOKEN, "name": "root", "admin": True}]
        return TOKEN


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


def test_a_token_alone_is_printed_and_what_it_is_for_beside_it(run: Any, client: Client) -> None:
    status, out, err = run("token", "create", "ci", "--expires", "90d")
    assert (status, out) == (0, "s2i_secret\n")
    assert "ci has no role in any project yet" in err
    assert client.asked == [("POST", "/v1/tokens", {"name": "ci", "admin": False, "seconds": 90 * 86400.0})]


def test_tokens_are_listed_with_what_they_may_do_and_never_themselves(run: Any, client: Client) -> None:
    _, out, _ = run("token", "list")
    assert out.splitlines()[1].split()[:4] == ["ci", "writer", "of", "shop"]
    assert out.splitlines()[2].split()[:2] == ["root", "admin"]
    assert "s2i_" not in out


def test_a_role_is_given_and_taken(run: Any, client: Client) -> None:
    assert run("project", "member", "add", "shop", "ci", "--role", "writer")[1] == "ci is writer of shop\n"
    assert run("project", "member", "remove", "shop", "ci")[1] == "ci is no member of shop any more\n"
    assert [(method, path) for method, path, _ in client.asked] == [
        ("PUT", "/v1/projects/shop/members/ci"),
        ("DELETE", "/v1/projects/shop/members/ci"),
    ]
    assert run("project", "member", "list", "shop")[1].splitlines()[1].split() == ["ci", "writer"]


@pytest.mark.parametrize(
    "words",
    [
        ("token", "create", "../x"),
        ("token", "create", "ci", "--expires", "soon"),
        ("token", "revoke", "a/b", "--yes"),
        ("project", "member", "add", "shop", "ci", "--role", "owner"),
        ("project", "member", "add", "../x", "ci", "--role", "reader"),
        ("project", "member", "remove", "shop", "x y"),
        ("audit", "--since", "1y"),
        ("audit", "--project", "../x"),
    ],
)
def test_a_bad_value_asks_nobody(run: Any, client: Client, words: tuple[str, ...]) -> None:
    assert (run(*words)[0], client.asked) == (2, [])


def test_the_audit_log_is_told_with_what_has_become_otherwise(run: Any, client: Client) -> None:
    _, out, _ = run("audit", "--project", "shop", "--since", "7d")
    rows = out.splitlines()
    assert "ci   10.0.0.9  app scale   shop/web  done     scale.max 10 → 4" in rows[1]
    assert rows[2].split()[-2:] == ["E_ROLE", "-"]
    assert client.asked[0][1].startswith("/v1/projects/shop/audit?since=1")
    run("audit")
    assert client.asked[1][1] == "/v1/audit?since=0.0&most=1000"
