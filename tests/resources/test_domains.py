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
        ("Faß.example", "xn--fa-hia.example"),  # IDNA 2003 would make it fass.example: another's
        ("XN--FA-HIA.example", "xn--fa-hia.example"),
        ("βόλος.example", "xn--nxasmm1c.example"),
        ("ｓｈｏｐ。example", "shop.example"),
        ("r1---shop.example", "r1---shop.example"),
        ("7.example.c0x1", "7.example.c0x1"),
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
        "{file./etc/passwd}.com", "\u2024.com", "127.1", "0177.0.0.1", "0x7f.0x1", "0X7F.1", "a.example.0xff", "shop.0x",
        "a.example.1", "１２７.１", "☕.example", "xn--a.example", "xn--ls8h.example", "a\u200db.example", "ü_.example",
        "ü" * 300 + ".example",
    ],
)  # fmt: skip
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(S2IError) as caught:
        host(value)
    assert (caught.value.code, caught.value.exit) == ("E_DOMAIN", 2)


def test_what_idna_refuses_is_said_to_be_so() -> None:
    with pytest.raises(S2IError) as caught:
        host("☕.example")
    assert caught.value.message.startswith(
        'the domain "☕.example" cannot be mapped: it is no host name by IDNA 2008: '
    )


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
