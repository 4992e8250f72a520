"""Links are resolved by arithmetic on paths."""

from __future__ import annotations

import pytest

from s2i.sources.links import follow

LINKS = {
    "near": "a.txt",
    "d/up": "../a.txt",
    "d/out": "../../a.txt",
    "absolute": "/etc/passwd",
    "one": "two",
    "two": "one",
    "self": "self",
    "folder": "d",
    "through": "folder/b.txt",
    "chain": "near",
    "d/parent": "..",
    "back": "d/parent/a.txt",
    "odd": "./d//../a.txt",
    "empty": "",
}


@pytest.mark.parametrize(
    ("link", "to"),
    [
        ("near", "a.txt"),
        ("d/up", "a.txt"),
        ("d/out", ""),
        ("absolute", ""),
        ("one", ""),
        ("self", ""),
        ("folder", "d"),
        ("through", "d/b.txt"),
        ("chain", "a.txt"),
        ("d/parent", ""),
        ("back", "a.txt"),
        ("odd", "a.txt"),
        ("empty", ""),
    ],
)
def test_a_link_leads_into_the_tree_or_nowhere(link: str, to: str) -> None:
    assert to == follow(link, LINKS)
