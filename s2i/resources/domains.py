"""Domains of one's own for an app, checked in one place."""

from __future__ import annotations

import ipaddress

from s2i.errors import E_DOMAIN
from s2i.patterns import lazily

PLATFORM = "localhost"
LIMIT = 253  # characters (RFC 1035)
_LABEL = lazily(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def host(value: str) -> str:
    """Return ``value`` as a host name in lower case and ASCII, without a dot at its end. Raises E_DOMAIN."""
    text = value.rstrip(".") if value.count(".") > 0 else value
    try:
        name = text.encode("idna").decode().lower() if not text.isascii() else text.lower()
    except UnicodeError:
        raise E_DOMAIN(value=value, why="it is no host name") from None
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


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return name.rpartition(".")[2].isdecimal()  # 1.2.3 is an address too, for some
    return True
