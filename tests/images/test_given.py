"""What can name an image that somebody else made."""

from __future__ import annotations

import pytest

from s2i.errors import S2IError
from s2i.images.given import named

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("hello", "hello:latest"),
        ("docker.io/library/hello:1", "hello:1"),
        ("registry.example.com:5000/team/hello:1.2", "registry.example.com:5000/team/hello:1.2"),
        (f"hello@{DIGEST}", f"hello@{DIGEST}"),
        (DIGEST, DIGEST),
    ],
)
def test_a_name_a_digest_and_an_id_are_taken(value: str, expected: str) -> None:
    assert named(value) == expected


@pytest.mark.parametrize(
    "value", ["", "Hello", "a b", "a\n", "../x", "-x", "hello@sha256:1", f"x@{DIGEST}\n", "a" * 300]
)
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(S2IError) as caught:
        named(value)
    assert (caught.value.code, caught.value.exit) == ("E_TAG", 2)
