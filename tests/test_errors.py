"""The catalogue of errors: documented exits, advice for each, and text that is safe on a terminal."""

import re
from pathlib import Path

import pytest

from s2i.errors import E_DOCKER, E_NAME, EXIT_CODES, KINDS, Kind, escape

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_each_kind_says_what_to_do_and_exits_as_documented(kind: Kind) -> None:
    assert kind.exit in EXIT_CODES
    assert kind.advice
    assert kind.message


def test_the_readme_documents_the_exit_codes_as_they_are() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {int(code): text for code, text in rows} == EXIT_CODES


def test_an_error_fills_its_text_and_advice_with_the_facts() -> None:
    error = E_DOCKER(socket="unix:///x.sock", why="no such file")
    assert str(error) == "cannot talk to Docker at unix:///x.sock: no such file"
    assert (error.code, error.exit) == ("E_DOCKER", 6)
    assert error.as_dict()["advice"].startswith("start it, or let `s2i doctor --fix`")


def test_a_fact_with_control_bytes_reaches_the_text_escaped() -> None:
    error = E_NAME(what="app", value="a\x1b[2J\nb\u202e", why="")
    assert 'the app name "a\\x1b[2J\\nb\\u202e" cannot be used' == error.message


def test_a_fact_is_never_read_as_a_template() -> None:
    error = E_NAME(what="app", value="{what.__class__} {{7*7}}", why="")
    assert error.message == 'the app name "{what.__class__} {{7*7}}" cannot be used'


def test_a_long_value_is_cut_and_says_so() -> None:
    assert escape("a" * 1000) == "a" * 200 + "… (1000 characters)"


def test_lines_of_a_fact_are_shown_one_below_the_other() -> None:
    kind = Kind.__new__(Kind)
    kind.code, kind.exit, kind.message, kind.advice = "E_TEST", 6, "it said:{tail}", "look"
    assert kind(tail=["one", "two\x07"]).message == "it said:\n  one\n  two\\x07"


def test_an_undocumented_exit_code_is_refused() -> None:
    with pytest.raises(ValueError, match="exit 9 is not documented"):
        Kind("E_NEVER", 9, "x", "y")
