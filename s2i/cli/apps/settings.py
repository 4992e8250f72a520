"""The settings of an app in words."""

from __future__ import annotations

from typing import Any


def routing_words(of: dict[str, Any]) -> str:
    """Return how requests come: "public, http1, 300 s to begin an answer"."""
    limit = f", bodies up to {of['body_limit']} bytes" if of["body_limit"] else ""
    return (
        f"{of['visibility']}, {'h2c' if of['h2c'] else 'http1'}, {of['request_timeout']:g} s to begin an answer{limit}"
    )
