"""The indices of an array: what a person writes, and the numbers that it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.errors import E_VALUE, S2IError
from s2i.resources import indices


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0", (0,)),
        ("1-5,8", (1, 2, 3, 4, 5, 8)),
        ("8, 1-2", (1, 2, 8)),
        ("3,3,2-4", (2, 3, 4)),
        ("0-999", tuple(range(1000))),
    ],
)
def test_what_is_written_is_read(text: str, found: tuple[int, ...]) -> None:
    assert indices.parse(text) == found


@pytest.mark.parametrize(
    "text", ["", ",", "1-", "-1", "5-1", "a", "1.5", "01", "0-1000", "1,,2", "99999999", "٣", "0-9999999"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        indices.parse(text)
    assert caught.value.kind is E_VALUE


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_an_array_has_its_limits(size: int) -> None:
    with pytest.raises(S2IError):
        indices.of_size(size)


@given(st.sets(st.integers(0, 5000), min_size=1, max_size=200))
def test_what_is_written_back_stands_for_the_same(numbers: set[int]) -> None:
    assert indices.parse(indices.written(numbers)) == tuple(sorted(numbers))
