"""Blot out of what was seen each value of the environment that was given: an app may print it in a traceback. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from s2i.images.private.redact import Redactor
from s2i.images.prove.proof import Found, Seen
from s2i.resources.app import Config, Opened
from s2i.resources.masked import MASK
from s2i.resources.secret import Secret

Blot = Callable[[str], str]


def blot(config: Config) -> Blot:
    """Return what blots the values of ``config`` out of a line, as Redactor does."""
    values = [Secret(f"env {key}", value.encode(errors="surrogateescape")) for key, value in config.env]
    if isinstance(config, Opened):
        values += [Secret(f"{one.directory}/{name}", value) for one in config.files for name, value in one.content]
    return Redactor(values, mask=MASK).line


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
