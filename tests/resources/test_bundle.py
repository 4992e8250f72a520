"""Secrets and configmaps: what can be kept, and how a container refers to them."""

from __future__ import annotations

import pytest

from s2i.errors import E_BUNDLE, E_REFERENCE, S2IError
from s2i.resources.bundle import LIMIT, Bundle, EnvFrom, checked_bundle, parse, variables, written

DB = {"USER": b"shop", "tls.crt": b"x", "PASSWORD": b"s3cretcanary"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db", EnvFrom("secret", "db")),
        ("DB_=db", EnvFrom("secret", "db", prefix="DB_")),
        ("db:USER", EnvFrom("secret", "db", "USER", "USER")),
        ("db:CERT=tls.crt", EnvFrom("secret", "db", "tls.crt", "CERT")),
    ],
)
def test_a_reference_is_read_and_written_back(text: str, found: EnvFrom) -> None:
    assert parse("secret", text) == found
    assert written(found) == text


@pytest.mark.parametrize("text", ["", "Db", "../db", "db:", "db:A=", "db:tls.crt", "1=db", "A-B=db", "db:=x", "db:a b"])
def test_a_reference_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        parse("secret", text)
    assert caught.value.kind is E_REFERENCE


def test_references_become_variables() -> None:
    values = {"USER": b"shop", "PASSWORD": b"\xff"}
    assert variables(parse("secret", "db"), values) == {"USER": "shop", "PASSWORD": "\udcff"}
    assert variables(parse("secret", "DB_=db"), values) == {"DB_USER": "shop", "DB_PASSWORD": "\udcff"}
    assert variables(parse("secret", "db:CERT=tls.crt"), DB) == {"CERT": "x"}


@pytest.mark.parametrize(
    ("text", "values", "why"),
    [
        ("db:NO", DB, "it has no key NO"),
        ("db", DB, "tls.crt is no name of a variable"),
        ("db", {"A": b"x\0y"}, "NUL byte"),
    ],
)
def test_what_no_variable_can_hold_is_told_without_its_value(text: str, values: dict[str, bytes], why: str) -> None:
    with pytest.raises(S2IError) as caught:
        variables(parse("secret", text), values)
    assert why in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("one", "values", "why"),
    [
        (Bundle("default", "secret", "Db"), {"A": b""}, "its name"),
        (Bundle("default", "secret", "db"), {}, "it has no value"),
        (Bundle("default", "secret", "db"), {"a b": b"s3cretcanary"}, "the key"),
        (Bundle("default", "secret", "db"), {"A": b"x" * (LIMIT + 1)}, "more than 1 MB"),
        (Bundle("default", "secret", "db", "tls"), {"tls.crt": b"x"}, "no tls.key"),
        (Bundle("default", "secret", "db", "basic_auth"), {"username": b"x"}, "no password"),
    ],
)
def test_what_cannot_be_kept_is_refused(one: Bundle, values: dict[str, bytes], why: str) -> None:
    with pytest.raises(S2IError) as caught:
        checked_bundle(one, values)
    assert caught.value.kind is E_BUNDLE
    assert why in caught.value.message
    assert "canary" not in caught.value.message


def test_the_keys_are_told_in_order() -> None:
    assert checked_bundle(Bundle("default", "secret", "db"), DB).keys == ("PASSWORD", "USER", "tls.crt")
