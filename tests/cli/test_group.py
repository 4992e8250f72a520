"""A command that is not there is answered with one that is."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from s2i.cli import COMMANDS, cli
from s2i.cli.group import INSTEAD, WORDS


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("ps", "there is no command 'ps'. Did you mean `s2i app list`?"),
        ("logs shop", "there is no command 'logs'. Did you mean `s2i app logs`?"),
        ("buid .", "there is no command 'buid'. Did you mean `s2i build` or `s2i buildrun`?"),
        ("app rm shop", "there is no command 'rm'. Did you mean `s2i app delete`?"),
        ("image show shop", "there is no command 'show'. Did you mean `s2i image inspect`?"),
        ("app lsit", "there is no command 'lsit'. Did you mean `s2i app list`?"),
        ("zzzz", "there is no command 'zzzz'"),
    ],
)
def test_what_is_meant_is_named(words: str, expected: str) -> None:
    done = CliRunner().invoke(cli, words.split())
    assert (2, f"Error: {expected}") == (done.exit_code, done.stderr.splitlines()[-1])


def test_only_commands_that_there_are_are_named() -> None:
    def known(words: str) -> bool:
        return CliRunner().invoke(cli, [word for word in words.split() if word != "--push"] + ["--help"]).exit_code == 0

    assert [] == [meant for row in WORDS.values() for meant in row if " " in meant and not known(meant)]
    assert [] == [words for words in INSTEAD if words.split()[0] not in COMMANDS or known(words)]
