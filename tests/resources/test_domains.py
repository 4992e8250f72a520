"""What can be a domain of an app."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.errors import S2IError
from s2i.resources.domains import host


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("shop.example.com", "shop.example.com"),
        ("Shop.EXAMPLE.com.", "shop.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a-1.b", "a-1.b"),
    ],
)
def test_a_host_is_written_in_one_way(value: str, expected: str) -> None:
    assert host(value) == expected
    assert host(expected) == expected


@pytest.mark.parametrize(
    "value",
    [
        "", ".", "shop", "localhost", "shop.default.localhost", "LOCALHOST.", "*.example.com", "https://a.example.com",
        "a.example.com:80", "a/b.example.com", "127.0.0.1", "1.2.3", "[::1]", "::1", "-a.example.com", "a-.example.com",
        "a..example.com", "a b.example.com", "a_b.example.com", "a.example.com\n", "x" * 64 + ".com", "a." * 130 + "com",
        "{file./etc/passwd}.com", "\u2024.com",
    ],
)  # fmt: skip
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(S2IError) as caught:
        host(value)
    assert (caught.value.code, caught.value.exit) == ("E_DOMAIN", 2)


@given(st.text(max_size=30))
def test_what_is_taken_is_ascii_and_stays_the_same(value: str) -> None:
    try:
        name = host(value)
    except S2IError as error:
        assert error.code == "E_DOMAIN"  # noqa: PT017
    else:
        assert name.isascii()
        assert host(name) == name
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
