"""Probes: whether an instance can take requests, and whether it still works. Parsed and checked once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from s2i.errors import E_PROBE, S2IError
from s2i.resources.app import Probe

NONE = "none"
# Key as it is written -> field, least, most; the limits and defaults are Code Engine's.
NUMBERS = {
    "port": ("port", 0, 65535),
    "interval": ("interval", 1, 300),
    "timeout": ("timeout", 1, 60),
    "initial-delay": ("initial_delay", 0, 600),
    "failure-threshold": ("failure_threshold", 1, 10),
}
KEYS = ("type", "path", *NUMBERS)
PATH_LIMIT = 2000


def parse(words: Iterable[str], what: str) -> Probe | None:
    """Return the probe that ``type=http path=/healthz`` (a word each, or several in one) says; None for "none".

    ``what``: the option. Raises E_PROBE.
    """
    parts = [part for word in words for part in word.replace(",", " ").split()]
    if parts == [NONE]:
        return None
    pairs = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise _refused(what, f"{part!r} is not like path=/healthz")
        pairs[key] = value
    return of(pairs, what)


def of(pairs: Mapping[str, Any], what: str) -> Probe:
    """Return the probe of ``pairs``. Raises E_PROBE."""
    found: dict[str, Any] = {}
    for key, value in pairs.items():
        if key in NUMBERS:
            try:
                found[NUMBERS[key][0]] = int(value)
            except (TypeError, ValueError):
                raise _refused(what, f"{key} is no number: {value!r}") from None
        elif key in KEYS:
            found[key] = value
        else:
            raise _refused(what, f"there is no {key!r}, only {', '.join(KEYS)}")
    try:
        return checked(msgspec.convert(found, Probe), what)
    except msgspec.ValidationError as error:
        raise _refused(what, str(error)) from None


def checked(probe: Probe, what: str) -> Probe:
    """Return ``probe`` when it can be: for what came over the wire. Raises E_PROBE."""
    for key, (field, least, most) in NUMBERS.items():
        if not least <= getattr(probe, field) <= most:
            raise _refused(what, f"{key} is from {least} to {most}, not {getattr(probe, field)}")
    path = probe.path
    if (
        not path.startswith("/")
        or len(path) > PATH_LIMIT
        or not path.isascii()
        or not path.isprintable()
        or " " in path
    ):
        raise _refused(what, f"a path begins with / and has no spaces: {path[:80]!r}")
    if probe.type == "tcp" and path != "/":
        raise _refused(what, "type=tcp asks for no path")
    return probe


def _refused(what: str, why: str) -> S2IError:
    return E_PROBE(what=what, why=why)
