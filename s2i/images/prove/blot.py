"""Blot out of what was seen each value of the environment that was given: an app may print it in a traceback. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from s2i.images.prove.proof import Found, Seen
from s2i.resources.app import Config, Opened

LEAST = 6  # characters; a shorter value hides more of a log than it gives away
BLOT = "***"

Blot = Callable[[str], str]


def blot(config: Config) -> Blot:
    """Return what blots the values of ``config`` out of a line; of a value of many lines each of them."""
    values = [value for _, value in config.env]
    if isinstance(config, Opened):
        values += [value.decode("utf-8", "replace") for one in config.files for _, value in one.content]
    pieces = {piece.strip() for value in values for piece in (value, *value.splitlines())}
    hidden = sorted((piece for piece in pieces if len(piece) >= LEAST), key=len, reverse=True)

    def blotted(text: str) -> str:
        for piece in hidden:
            text = text.replace(piece, BLOT)
        return text

    return blotted


def lines(of: Iterable[str], by: Blot) -> tuple[str, ...]:
    """Return the lines without what ``by`` blots out."""
    return tuple(map(by, of))


def seen(of: Seen, by: Blot) -> Seen:
    """Return what was seen without what ``by`` blots out: in the log, and in what the import raised."""
    found = of.found
    if found is not None:
        found = Found(
            found.shape, found.kind, by(found.type), found.names, by(found.error), by(found.text), found.file,
            found.line, by(found.absent), lines(found.stack, by),
        )  # fmt: skip
    return msgspec.structs.replace(of, log=lines(of.log, by), found=found)
