"""Bad names and values end a platform command before a server is started or anything is made."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import ClassVar

import pytest

import s2i
from s2i import cli, dirs


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> object:
    """Run a command line in this process; return its exit status and what it wrote to standard error."""

    def one(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["s2i", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), capsys.readouterr().err

    return one


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--name", "a b", "."), "E_NAME"),
        (("--name", "", "."), "E_NAME"),
        (("--name", "-rf", "."), "E_NAME"),
        (("--name", "a/../b", "."), "E_NAME"),
        (("--name", "a\nb", "."), "E_NAME"),
        (("--name", "caf\u00e9", "."), "E_NAME"),
        (("--name", "$(id)", "."), "E_NAME"),
        (("--name", "a.", "."), "E_NAME"),
        (("--name", "default", "."), "E_NAME"),
        (("--project", "No", "."), "E_NAME"),
        (("--env", "FOO", "."), "E_ENV"),
        (("--env", "LD_PRELOAD=/x.so", "."), "E_ENV"),
        (("--port", "65536", "."), "E_PORT"),
        (("--port", "080", "."), "E_PORT"),
        (("--port", "h2c:0", "."), "E_PORT"),
        (("--port", "h3:8080", "."), "E_PORT"),
        (("--memory", "1k", "."), "E_LIMIT"),
        (("--memory", "999999g", "."), "E_LIMIT"),
        (("--memory", "-1", "."), "E_LIMIT"),
        (("--memory", "64mb", "."), "E_LIMIT"),
        (("--cpu", "1e9", "."), "E_LIMIT"),
        (("--timeout", "0", "."), "E_LIMIT"),
        (("--timeout", "-5", "."), "E_LIMIT"),
        (("--timeout", "99999999999999999999", "."), "E_LIMIT"),
        (("ext::sh -c touch% /tmp/canary",), "E_URL"),
        (("--", "--upload-pack=touch /tmp/canary;"), "E_URL"),
    ],
)
def test_a_bad_value_of_deploy_makes_nothing(run, words: tuple[str, ...], code: str) -> None:  # type: ignore[no-untyped-def]
    status, said = run("deploy", *words)
    assert (status, f"({code}, exit 2)" in said) == (2, True)
    assert not dirs.state().exists()
    assert not dirs.runtime().exists()


def test_a_near_name_of_an_option_is_suggested(run) -> None:  # type: ignore[no-untyped-def]
    status, said = run("deploy", "--nmae", "x", ".")
    assert status == 2
    assert "'--name'" in said.partition("Did you mean")[2]


def test_an_option_without_its_value_is_a_usage_error(run) -> None:  # type: ignore[no-untyped-def]
    status, said = run("deploy", "--name")
    assert status == 2
    assert "Option '--name' requires an argument" in said


@pytest.mark.parametrize(
    "words", [("app", "get", "../x"), ("app", "logs", "A"), ("jobrun", "get", "a/b"), ("app", "delete", "x y", "--yes")]
)
def test_a_name_cannot_lead_to_another_path_of_the_api(  # type: ignore[no-untyped-def]
    run, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2i.cli.client.connect", lambda: None)
    status, said = run(*words)
    assert (status, "(E_NAME, exit 2)" in said) == (2, True)


class Client:
    """A client whose server knows everything, and is asked to remove nothing."""

    def call(self, method: str, path: str) -> None:
        assert method == "GET", path


@pytest.mark.parametrize("noun", ["app", "job", "jobrun"])
@pytest.mark.parametrize(
    ("terminal", "expected"), [(False, "fix: add --yes\n       (E_UNCONFIRMED, exit 2)"), (True, "nothing was removed")]
)
def test_what_is_not_confirmed_is_not_removed(  # type: ignore[no-untyped-def]
    run, noun: str, terminal: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = io.StringIO("n\n")
    monkeypatch.setattr(answer, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdin", answer)
    monkeypatch.setattr("s2i.cli.client.connect", Client)
    status, said = run(noun, "delete", "shop")
    assert (status, said.strip().endswith(expected)) == (2, True)


def test_status_without_a_server_starts_none_and_exits_6(run) -> None:  # type: ignore[no-untyped-def]
    status, said = run("server", "status")
    assert status == 6
    assert "error: no server runs\n" in said
    assert not dirs.state().exists()


class Failed:
    """A client of a server with one app, whose only revision failed."""

    shown = dict.fromkeys(("name", "project", "status", "url", "source", "commit", "image"), "")

    def call(self, method: str, path: str) -> dict[str, object]:
        revision = {"number": 2, "status": "failed", "created": 0.0, "image": "", "commit": "", "source": "src"}
        view = {"reason": "it exited\nTrace\nboom", "revisions": [revision], "events": [], "revision": 0, "traffic": {}}
        return {**self.shown, **view}

    def lines(self, path: str, **query: object) -> tuple[str, ...]:
        return ('{"instances": [], "ended": []}',)


def test_the_reason_is_labelled_once_and_names_its_revision(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("s2i.cli.client.connect", Failed)
    monkeypatch.setattr(sys, "argv", ["s2i", "app", "get", "shop"])
    with pytest.raises(SystemExit):
        cli.main()
    expected = ["reason    revision 2 failed: it exited", "          Trace", "          boom"]
    assert capsys.readouterr().out.splitlines()[:3] == expected


def test_no_log_of_a_failed_app_says_where_to_look(run, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("s2i.cli.client.connect", Failed)
    assert run("app", "logs", "shop") == (0, "nothing runs that could have a log: see `s2i app get shop`\n")


class Routed:
    """A client of a server that takes what it is told."""

    asked: ClassVar[list[tuple[str, str, dict[str, object]]]] = []

    def call(self, method: str, path: str, body: dict[str, object]) -> dict[str, object]:
        self.asked.append((method, path, body))
        return {"routing": {"request_timeout": 300.0, "h2c": False, "visibility": "public", "body_limit": 0} | body}


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (("--request-timeout", "60", "--visibility", "project"), {"request_timeout": 60.0, "visibility": "project"}),
        (("--body-limit", "10M", "--h2c"), {"body_limit": 10 << 20, "h2c": True}),
        (("--body-limit", "0", "--http1"), {"body_limit": 0, "h2c": False}),
    ],
)
def test_an_update_sends_only_what_was_given(  # type: ignore[no-untyped-def]
    run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], body: dict[str, object]
) -> None:
    monkeypatch.setattr("s2i.cli.client.connect", Routed)
    Routed.asked.clear()
    assert run("app", "update", "shop", *words) == (0, "")
    assert Routed.asked == [("PATCH", "/v1/projects/default/apps/shop/routing", body)]


@pytest.mark.parametrize("words", [(), ("--body-limit", "10X"), ("--visibility", "all"), ("--body-limit", "-1")])
def test_a_bad_update_asks_nobody(run, words: tuple[str, ...]) -> None:  # type: ignore[no-untyped-def]
    status, _ = run("app", "update", "shop", *words)
    assert status == 2
    assert not dirs.state().exists()


class Empty:
    """A client of a server that has nothing."""

    def call(self, method: str, path: str) -> list[object]:
        return []


@pytest.mark.parametrize(("noun", "things"), [("app", "apps"), ("job", "jobs"), ("jobrun", "job runs")])
def test_an_empty_list_says_so(run, noun: str, things: str, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("s2i.cli.client.connect", Empty)
    assert run(noun, "list") == (0, f"no {things} in the project default\n")


def test_stop_without_a_server_is_no_failure(run) -> None:  # type: ignore[no-untyped-def]
    assert run("server", "stop") == (0, "")


@pytest.mark.parametrize("noun", ["deploy", "app", "job", "jobrun", "server"])
def test_the_help_has_an_example(
    noun: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["s2i", noun, "--help"])
    with pytest.raises(SystemExit):
        cli.main()
    assert f"Example:  s2i {noun}" in capsys.readouterr().out


@pytest.mark.world  # a process, to see what it imports
def test_a_version_imports_nothing_heavy(tmp_path: Path) -> None:
    from s2i import shell

    code = (
        "import sys; from s2i.cli import cli; import contextlib\n"
        "with contextlib.suppress(SystemExit): cli(['--version'])\n"
        "print(sorted({'docker', 'litestar', 'rich', 'jinja2', 'hypercorn'} & set(sys.modules)))"
    )
    root = str(Path(s2i.__file__).parents[1])
    done = shell.run((sys.executable, "-c", code), timeout=60, env={"PYTHONPATH": root, "HOME": str(tmp_path)})
    assert done.out.decode().splitlines() == [s2i.__version__, "[]"]
