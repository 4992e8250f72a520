"""What the server tells of apps, jobs and their settings, as it may stand in a terminal or the log of a CI."""

from __future__ import annotations

from typing import Any

from s2i.planning.secretnames import looks_secret
from s2i.resources import masked


def told(found: Any) -> Any:
    """Return an answer of the API with its passwords masked. The API tells them: what a change would do needs them."""
    if isinstance(found, list):
        return [told(one) for one in found]
    if isinstance(found, dict):
        return {key: _field(key, value) for key, value in found.items()}
    return found


def _field(key: str, value: Any) -> Any:
    match key, value:
        case "env", list():
            return [[name, masked.value(name, content, looks_secret)] for name, content in value]
        case "command" | "arguments" | "release", list():
            return masked.words(value, looks_secret)
        case "processes", list():
            return [[name, masked.words(command, looks_secret)] for name, command in value]
        case "data" | "path", str():  # what a schedule gives to its runs; what a probe asks for
            return masked.text(value, looks_secret)
    return told(value)
