"""Passwords in what people are shown: masked where a name or a URL tells them, and nothing else."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.planning.secretnames import looks_secret
from s2i.resources.masked import text, value, words


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("postgres://u:pw@host/db", "postgres://u:***@host/db"),
        ("postgres://u:p@w@host:5432/db", "postgres://u:***@host:5432/db"),
        ("postgres://u:p/w#x@host/db", "postgres://u:***@host/db"),
        ("redis://:pw@host/0", "redis://:***@host/0"),
        ("redis://:pw@a,redis://u:pw@b", "redis://:***@a,redis://u:***@b"),
        ("postgres://h/db?user=u&password=pw&x=1", "postgres://h/db?user=u&password=***&x=1"),
        ("https://token@example.com/a", "https://***@example.com/a"),
        ("git+https://u:pw@example.com/a", "git+https://***@example.com/a"),
        ("host=h password='p w' dbname=d", "host=h password=*** dbname=d"),
        ("exec app --password pw --token=pw -w 3", "exec app --password *** --token=*** -w 3"),
    ],
)
def test_a_password_is_masked_and_what_is_around_it_stays(content: str, shown: str) -> None:
    assert text(content, looks_secret) == shown


@pytest.mark.parametrize(
    "content",
    [
        "", "info", "http://host:8080/@x", "http://host:8080", "ssh://git@host/x", "amqp://guest@host", "a@b.example", "a=b",
        '{"a":"http://x","b":"c@d"}', "gunicorn --key-file k.pem --max-tokens 5", "--sort-key name", "--no-password --x",
    ],
)  # fmt: skip
def test_what_is_no_password_is_shown_as_it_is(content: str) -> None:
    assert text(content, looks_secret) == content


def test_a_variable_is_masked_by_its_name_or_in_its_value() -> None:
    assert value("API_TOKEN", "pw", looks_secret) == "***"
    assert value("TOKEN_URL", "https://u:pw@host", looks_secret) == "https://***@host"
    assert value("LOG_LEVEL", "info", looks_secret) == "info"


def test_the_words_of_a_command_are_masked_whole() -> None:
    given_ = ("app", "--password", "p w", "--token=p w", "PGPASSWORD=p w", "--api-key", "--verbose", "--port", "80")
    assert words(given_, looks_secret) == (
        "app", "--password", "***", "--token=***", "PGPASSWORD=***", "--api-key", "--verbose", "--port", "80",
    )  # fmt: skip


@given(st.text(st.characters(exclude_characters="/?#@:'\"", exclude_categories=["Z", "C"]), min_size=9))
def test_no_password_of_a_url_is_shown(password: str) -> None:
    assert password not in text(f"amqp://u:{password}@host/x", looks_secret)


@pytest.mark.parametrize("part", ["x://y:z", "a://", "a.", "--a ", "'=", 'a="', "--password "])
def test_the_longest_value_is_looked_through_at_once(part: str) -> None:
    began = time.process_time()
    text(part * (131072 // len(part)), looks_secret)
    assert time.process_time() - began < 5
