"""What a source is called when nobody names it."""

import pytest

from s2i.cli.build import title
from s2i.sources import parse


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/srv/shop", "shop"),
        ("/srv/shop/", "shop"),
        ("/srv/shop/app/src", "shop"),
        ("https://example.com/owner/shop.git@v1", "shop.git"),
        ("https://example.com/owner/shop.git#services/cart", "cart"),
        ("https://example.com/owner/shop.git#app", "shop.git"),
        ("git@example.com:owner/shop.git", "shop.git"),
    ],
)
def test_a_source_is_called_by_the_last_part_that_says_something(source: str, expected: str) -> None:
    assert title(parse(source)) == expected
