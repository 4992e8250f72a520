"""`s2i app logs`: whose line it is, nothing that steers a terminal, and where to look when nothing runs."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from s2i import cli


class Server:
    """A client of a server that answers ``lines``; ``asked`` is what it was asked."""

    lines_: tuple[dict[str, Any], ...] = ()
    reason = ""
    asked: dict[str, object] = {}

    def call(self, method: str, path: str) -> dict[str, object]:
        return {"reason": self.reason}

    def lines(self, path: str, **query: object) -> tuple[str, ...]:
        type(self).asked = query
        return tuple(json.dumps(one) for one in self.lines_)


def line(instance: str, text: str) -> dict[str, str]:
    return {"at": "2026-11-26T04:49:04.123456789Z", "instance": instance, "line": text}


ONE = ({"instances": ["r1-0"], "ended": []}, line("r1-0", "a\x1b[2J\rb"))
TWO = ({"instances": ["r1-0", "r1-10"], "ended": []}, line("r1-10", "a"), line("r1-0", "\u202eb"))


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def call(lines: tuple[dict[str, Any], ...], *words: str, reason: str = "") -> tuple[str, str]:
        monkeypatch.setattr(Server, "lines_", lines)
        monkeypatch.setattr(Server, "reason", reason)
        monkeypatch.setattr("s2i.cli.client.connect", Server)
        monkeypatch.setattr(sys, "argv", ["s2i", "app", "logs", "shop", *words])
        with pytest.raises(SystemExit):
            cli.main()
        return tuple(capsys.readouterr())  # type: ignore[return-value]

    return call


def test_the_lines_of_one_instance_are_as_it_wrote_them_and_steer_no_terminal(logs) -> None:  # type: ignore[no-untyped-def]
    assert logs(ONE) == ("a\\x1b[2J\\rb\n", "")


def test_several_instances_are_named_in_front_of_their_lines(logs) -> None:  # type: ignore[no-untyped-def]
    assert logs(TWO) == ("r1-10 | a\nr1-0  | \\u202eb\n", "")


def test_a_followed_line_names_its_instance_as_others_may_come(logs) -> None:  # type: ignore[no-untyped-def]
    assert logs(ONE, "-f") == ("r1-0 | a\\x1b[2J\\rb\n", "the app was deleted, or the server stopped\n")


def test_for_machines_a_line_is_an_object(logs) -> None:  # type: ignore[no-untyped-def]
    out, _ = logs(TWO, "-o", "json")
    assert tuple(json.loads(one) for one in out.splitlines()) == TWO[1:]
    assert "\x1b" not in logs(ONE, "-o", "json")[0]


def test_the_server_is_asked_for_what_is_wanted(logs) -> None:  # type: ignore[no-untyped-def]
    logs(ONE, "--previous", "--tail", "3", "--instance", "r1-0")
    assert Server.asked == {"follow": False, "tail": 3, "instance": "r1-0", "previous": True}


@pytest.mark.parametrize(
    ("ended", "words", "reason", "said"),
    [
        ([], (), "", "none of its instances runs\n"),
        ([], (), "it exited", "nothing runs that could have a log: see `s2i app get shop`\n"),
        ([], ("--previous",), "", "no instance of it has ended that wrote anything\n"),
        (
            ["r1-0"],
            (),
            "",
            "none of its instances runs: see what those wrote that ended with `s2i app logs shop --previous`\n",
        ),
    ],
)
def test_no_log_says_where_to_look(  # type: ignore[no-untyped-def]
    logs, ended: list[str], words: tuple[str, ...], reason: str, said: str
) -> None:
    assert logs(({"instances": [], "ended": ended},), *words, reason=reason) == ("", said)


def test_what_has_ended_cannot_be_followed(logs) -> None:  # type: ignore[no-untyped-def]
    out, err = logs(ONE, "-f", "--previous")
    assert (out, "leave out --follow or --previous" in err) == ("", True)
