"""Domains of one's own for an app, checked in one place."""

from __future__ import annotations

import ipaddress

from s2i.errors import E_DOMAIN
from s2i.patterns import lazily

PLATFORM = "localhost"
LIMIT = 253  # characters (RFC 1035)
_LABEL = lazily(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# What makes all of a name an address when it stands last: https://url.spec.whatwg.org/#ends-in-a-number-checker
_NUMBER = lazily(r"[0-9]+|0x[0-9a-f]*")


def host(value: str) -> str:
    """Return ``value`` as a host name in lower case and ASCII, without a dot at its end. Raises E_DOMAIN.

    Other letters are written as browsers do (IDNA 2008 by UTS 46, non-transitional).
    """
    text = value.rstrip(".") if value.count(".") > 0 else value
    name = _in_ascii(text, value)
    if name.startswith("*."):
        raise E_DOMAIN(value=value, why="an app has whole names, no wildcard")
    if "://" in name or "/" in name or ":" in name:
        raise E_DOMAIN(value=value, why="it is no host name", advice="name the host alone, as shop.example.com")
    if _is_address(name):
        raise E_DOMAIN(value=value, why="it is an address, no name")
    if name == PLATFORM or name.endswith(f".{PLATFORM}"):
        raise E_DOMAIN(value=value, why=f"names under {PLATFORM} are given by s2i itself: APP.PROJECT.{PLATFORM}")
    if len(name) > LIMIT or not all(_LABEL.fullmatch(part) for part in name.split(".")) or "." not in name:
        raise E_DOMAIN(value=value, why="it is no host name")
    return name


def _in_ascii(text: str, value: str) -> str:
    lower = text.lower()
    if text.isascii() and "xn--" not in lower:
        return lower  # not to idna, which refuses a name like r1---shop.example.com
    if len(text) > LIMIT:
        raise E_DOMAIN(value=value, why=f"it has more than {LIMIT} characters")
    import idna  # here: few names need it, and its tables are large

    try:
        return idna.encode(text, uts46=True).decode()
    except UnicodeError as error:
        raise E_DOMAIN(value=value, why=f"it is no host name by IDNA 2008: {error}") from None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return bool(_NUMBER.fullmatch(name.rpartition(".")[2]))
    return True
