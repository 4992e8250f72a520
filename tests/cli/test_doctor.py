"""`s2i doctor` as a command: what it prints, in which form, and its exit status."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result

from s2i.cli import doctor as module
from s2i.engines.docker.checks import Check
from s2i.errors import S2IError

WARNED = (Check("python", "ok", "Python 3.11.2 (/py)"), Check("git", "warn", "no git", "install git"))
BROKEN = (*WARNED, Check("engine", "fail", "no \x1b[2Jengine", "start it"))


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "_fix", calls.append)
    return calls


def run(monkeypatch: pytest.MonkeyPatch, found: tuple[Check, ...], *words: str) -> tuple[Result, int]:
    """Return what was printed and the status that `s2i` would exit with."""
    wanted: list[tuple[str, ...]] = []

    def checks(pythons: tuple[str, ...]) -> Iterator[Check]:
        wanted.append(pythons)
        yield from found

    monkeypatch.setattr(module, "_checks", checks)
    result = CliRunner().invoke(module.doctor, list(words), standalone_mode=False)
    return result, result.return_value


def test_each_check_is_a_line_with_its_advice_below(monkeypatch: pytest.MonkeyPatch) -> None:
    result, status = run(monkeypatch, WARNED)
    assert result.output == "✓ Python 3.11.2 (/py)\n! no git\n    install git\n"
    assert status == 0


def test_a_failed_check_exits_6_and_its_text_cannot_steer_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    result, status = run(monkeypatch, BROKEN)
    assert result.output.endswith("✗ no \\x1b[2Jengine\n    start it\n")
    assert status == 6


def test_json_carries_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    result, status = run(monkeypatch, BROKEN[:1] + BROKEN[2:], "-o", "json")
    assert json.loads(result.output) == {
        "usable": False,
        "checks": [
            {"name": "python", "state": "ok", "text": "Python 3.11.2 (/py)", "advice": ""},
            {"name": "engine", "state": "fail", "text": "no \x1b[2Jengine", "advice": "start it"},
        ],
    }
    assert status == 6


def test_nothing_is_mended_unasked(monkeypatch: pytest.MonkeyPatch, fixed: list[tuple[str, ...]]) -> None:
    run(monkeypatch, WARNED)
    assert fixed == []


def test_fix_sees_to_the_default_pythons_and_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch, fixed: list[tuple[str, ...]]
) -> None:
    run(monkeypatch, WARNED, "--fix", "--python", "3.9", "--python", "3.11")
    assert fixed == [("3.13", "3.11", "3.9")]


def test_a_python_that_is_not_in_the_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = run(monkeypatch, WARNED, "--python", "2.7")
    assert isinstance(result.exception, S2IError)
    assert (result.exception.code, result.exception.exit) == ("E_VALUE", 2)
    assert (
        result.exception.message
        == '--python cannot be "2.7": there is 3.6, 3.7, 3.8, 3.9, 3.10, 3.11, 3.12, 3.13, 3.14'
    )


@pytest.mark.parametrize("commit", ["5d6db84", "v1.1.5-0-gf19387a", ""])
def test_a_commit_is_not_taken_for_a_packages_version(commit: str) -> None:
    assert module._package({"Details": {"GitCommit": commit}}) == ""


def test_debian_puts_the_packages_version_where_the_commit_is() -> None:
    assert module._package({"Details": {"GitCommit": "1.1.5+ds1-1+deb12u1"}}) == "1.1.5+ds1-1+deb12u1"
