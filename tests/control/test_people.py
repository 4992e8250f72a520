"""Tokens, roles and the audit log in the store: what is kept of them, and what nobody can take back."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from s2i.control.people import USED_SECONDS, People
from s2i.control.store import Store
from s2i.control.tidy import audit_days
from s2i.errors import E_NAME, E_NO_PROJECT, E_NO_TOKEN, E_STORE, E_TOKEN, E_TOKEN_NAME, S2IError
from s2i.resources.audit import LEAST_DAYS, Deed
from s2i.resources.people import digest_of, span, text_of

DAY = 86400.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s2i.db")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(store: Store, clock: Clock) -> People:
    return People(store, clock)


def refused(people: People, text: str) -> str:
    with pytest.raises(S2IError) as caught:
        people.caller(text, "10.0.0.1")
    assert caught.value.kind is E_TOKEN
    return caught.value.message.rpartition(": ")[2]


def test_a_token_is_256_bits_behind_a_prefix_and_only_its_digest_is_kept(people: People, tmp_path: Path) -> None:
    made, text = people.create("ci", b"\xff" * 32, admin=False, seconds=0.0)
    assert text == "s2i_" + "_" * 42 + "8"
    assert made.digest == digest_of(text)
    people._store.close()
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("s2i.db*"))
    assert text.encode() not in kept
    assert made.digest.encode() in kept


def test_a_token_holds_until_it_expires_or_is_revoked(people: People, clock: Clock) -> None:
    _, text = people.create("ci", b"a" * 32, admin=False, seconds=10.0)
    assert people.caller(text, "10.0.0.1").name == "ci"
    clock.now += 10.0
    assert refused(people, text) == "this one has expired"
    _, other = people.create("cd", b"b" * 32, admin=True, seconds=0.0)
    assert people.caller(other, "x").admin
    people.revoke("cd")
    assert refused(people, other) == "this one is not known, or was revoked"
    for wrong in ("", "s2i_", text[:-1], text + "A", "x" * 5000, "\udc80", text_of(b"c" * 32)):
        refused(people, wrong)


def test_what_one_server_makes_the_next_one_knows(people: People, store: Store, clock: Clock) -> None:
    _, text = people.create("ci", b"a" * 32, admin=False, seconds=0.0)
    people.join("default", "ci", "writer")
    assert People(store, clock).caller(text, "x").roles == {"default": "writer"}


def test_a_role_is_in_one_project_and_goes_with_the_token_or_the_project(people: People, store: Store) -> None:
    _, text = people.create("ci", b"a" * 32, admin=False, seconds=0.0)
    with pytest.raises(S2IError) as caught:
        people.join("nosuch", "ci", "reader")
    assert caught.value.kind is E_NO_PROJECT
    assert store.members() == ()
    people.join("default", "ci", "reader")
    people.join("default", "ci", "manager")
    caller = people.caller(text, "x")
    assert (caller.may("manager", "default"), caller.may("reader", "other")) == (True, False)
    people.leave("default", "ci")
    assert people.caller(text, "x").roles == {}
    people.join("default", "ci", "reader")
    people.revoke("ci")
    people.create("ci", b"b" * 32, admin=False, seconds=0.0)
    assert store.members() == ()


def test_names_are_checked_and_given_once(people: People) -> None:
    people.create("ci", b"a" * 32, admin=False, seconds=0.0)
    for name, kind in (("ci", E_TOKEN_NAME), ("A b", E_NAME), ("owner", E_NAME), ("", E_NAME)):
        with pytest.raises(S2IError) as caught:
            people.create(name, b"b" * 32, admin=False, seconds=0.0)
        assert caught.value.kind is kind
    with pytest.raises(S2IError) as caught:
        people.revoke("nobody")
    assert caught.value.kind is E_NO_TOKEN


def test_the_use_of_a_token_is_written_once_a_minute(people: People, store: Store, clock: Clock) -> None:
    people.create("ci", b"a" * 32, admin=False, seconds=0.0)
    due = []
    for _ in range(5):
        due.append(people.is_due("ci"))
        clock.now += USED_SECONDS / 4
    assert due == [True, False, False, False, True]
    people.record_use("ci")
    assert store.token("ci").used == clock.now


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE audit SET doc = x'00'",
        "UPDATE audit SET at = 0",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE serial = 1",
        "INSERT OR REPLACE INTO audit VALUES (1, 0, '', x'00')",
    ],
)
def test_the_audit_log_is_only_ever_added_to(store: Store, attack: str) -> None:
    store.add_deed(Deed(time.time(), "owner", "unix", "app stop", "shop", "web", 200))
    with pytest.raises(sqlite3.IntegrityError, match="audit log"):
        store._db.execute(attack)
    assert [one.verb for one in store.deeds()] == ["app stop"]


def test_old_lines_of_the_audit_log_go_and_no_younger_ones(store: Store) -> None:
    now = time.time()
    for days in (400, LEAST_DAYS + 1, 1):
        store.add_deed(Deed(now - days * DAY, "owner", "unix", f"{days}"))
    assert store.forget_deeds(now - 365 * DAY) == 1
    with pytest.raises(S2IError) as caught:
        store.forget_deeds(now)
    assert caught.value.kind is E_STORE
    assert [one.verb for one in store.deeds()] == [f"{LEAST_DAYS + 1}", "1"]


def test_the_audit_log_is_told_by_project_time_and_number_the_newest_last(store: Store) -> None:
    for number in range(6):
        store.add_deed(Deed(float(number), "owner", "unix", str(number), "ab"[number % 2]))
    assert [one.verb for one in store.deeds("a", 1.0)] == ["2", "4"]
    assert [one.verb for one in store.deeds(most=2)] == ["4", "5"]
    store.clear()
    assert len(store.deeds()) == 6


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("12h", 43200), ("90d", 90 * DAY), ("2w", 14 * DAY)])
def test_a_span_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert span(text, "--expires", "token create") == seconds


@pytest.mark.parametrize("text", ["", "90", "0d", "-1d", "1.5h", "d", "٣d", "999999d", "1y"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(S2IError):
        span(text, "--expires", "token create")


@pytest.mark.parametrize(("given", "days"), [("", 365), ("90", 90), ("1", LEAST_DAYS), ("x", 365), ("-5", 365)])
def test_the_audit_log_is_kept_for_as_long_as_is_said_and_not_less_than_a_month(given: str, days: int) -> None:
    assert audit_days({"S2I_AUDIT_DAYS": given}) == days
