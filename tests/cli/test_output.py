"""What is printed: aligned for people, whole for programs, harmless for terminals."""

from __future__ import annotations

import json
import sys

import pytest

from s2i import cli
from s2i.cli.eventlines import EventLines
from s2i.cli.output import emit, json_line, safe, table

DATA = [
    {"name": "shop", "ready": True, "port": None, "reason": "line one\nline two: x", "tags": [], "env": {"A": "yes"}},
    {"name": "no", "nested": [["a", 1.5], []]},
]


def test_a_table_is_aligned_and_says_dash_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name", "status"), [("shop", "ready"), ("x", "")])
    assert capsys.readouterr().out == "NAME  STATUS\nshop  ready\nx     -\n"


def test_json_is_what_went_in(capsys: pytest.CaptureFixture[str]) -> None:
    emit(DATA, "json")
    assert json.loads(capsys.readouterr().out) == DATA


STEERING = "\x9b2J \x7f \u202eevil \U000e0001 é"  # C1, DEL, bidi, a tag; and a letter


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_what_is_data_cannot_steer_the_terminal_and_reads_the_same(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    emit([STEERING], output)
    told = capsys.readouterr().out
    assert set(told) <= {*map(chr, range(0x20, 0x7F)), "\n"}
    assert json.loads(told.removeprefix("- ") if output == "yaml" else told) in (STEERING, [STEERING])


def test_a_line_of_json_cannot_steer_the_terminal_either(capsys: pytest.CaptureFixture[str]) -> None:
    EventLines().wire({"line": STEERING})
    for line in (json_line(json.dumps({"line": STEERING}, ensure_ascii=False)), capsys.readouterr().err.rstrip("\n")):
        assert all(" " <= c <= "~" for c in line)
        assert json.loads(line) == {"line": STEERING}
    assert json_line('{"line":"plain"}') == '{"line":"plain"}'


def test_yaml_quotes_what_would_be_read_as_something_else(capsys: pytest.CaptureFixture[str]) -> None:
    emit(DATA, "yaml")
    assert capsys.readouterr().out == (
        "- name: shop\n"
        "  ready: true\n"
        "  port: null\n"
        '  reason: "line one\\nline two: x"\n'
        "  tags: []\n"
        "  env:\n"
        '    A: "yes"\n'
        '- name: "no"\n'
        "  nested:\n"
        "    - - a\n"
        "      - 1.5\n"
        "    - []\n"
    )


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain\ttext", "plain\ttext"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("over\rwritten", "over\\rwritten"),
        ("\u202eevil", "\\u202eevil"),
    ],
)
def test_foreign_text_cannot_steer_the_terminal(line: str, shown: str) -> None:
    assert safe(line) == shown


def test_a_line_without_end_is_cut() -> None:
    assert len(safe("x" * 100_000)) < 17_000


@pytest.mark.parametrize("words", [("-o", "json"), ("--output=json",), ("--progress", "json"), ("--progress=json",)])
def test_an_interrupt_is_told_in_json_to_who_asked_for_json(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.cli, "main", interrupted)
    for argv in (("s2i", "build", "."), ("s2i", "build", ".", *words)):
        monkeypatch.setattr(sys, "argv", list(argv))
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code == 130
    first, last = capsys.readouterr().err.splitlines()
    assert (first, json.loads(last)["error"]["code"]) == ("interrupted", "E_CANCELLED")
