"""Two images compared."""

from __future__ import annotations

from s2i.images.stock.compare import Comparison, Content, compare
from s2i.resources.change import Difference


def test_packages_layers_and_sizes_are_compared() -> None:
    old = Content({"flask": "3.0", "six": "1.16"}, ("a", "b", "c"), 300, (100, 100, 100))
    new = Content({"flask": "3.1", "idna": "3.7", "same": "1"}, ("a", "b", "d", "e"), 360, (100, 100, 90, 70))
    assert compare(old, new) == Comparison(
        packages=(
            Difference("flask", "3.0", "3.1"),
            Difference("idna", "", "3.7"),
            Difference("same", "", "1"),
            Difference("six", "1.16", ""),
        ),
        sizes=(300, 360),
        layers=4,
        shared=2,
        added=160,
    )


def test_an_engine_that_tells_no_layers_apart_is_not_believed() -> None:
    one = Content({}, ("a",), 5)
    assert compare(one, one) == Comparison((), (5, 5), 1, 1, None)
