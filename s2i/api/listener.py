"""Where the server listens on TCP, when it is told to: an address, the names that it is called by, its certificate."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from s2i.api.crowd import bounded
from s2i.errors import E_LISTEN

ADDRESS, NAMES, CERT, KEY = "S2I_API_ADDRESS", "S2I_API_NAMES", "S2I_API_CERT_FILE", "S2I_API_KEYFILE"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
LOCAL = ("localhost", "127.0.0.1", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - what cannot be a name of anything
HANDSHAKE_SECONDS = 10.0
IDLE_SECONDS = 20.0  # between requests, and for the head of one
HEAD_LIMIT = 16 << 10  # bytes


class Listener(msgspec.Struct, frozen=True):
    """Where to listen. ``names``: hosts that it answers to; ``cert``, ``key``: files of PEM, "" for s2i's own."""

    host: str
    port: int
    names: tuple[str, ...]
    cert: str = ""
    key: str = ""

    @property
    def url(self) -> str:
        """The address for people: by the first name that is not this machine's alone."""
        name = next((one for one in self.names if one not in LOCAL), self.names[0])
        return f"https://{f'[{name}]' if ':' in name else name}:{self.port}"


class Listening(msgspec.Struct, frozen=True):
    """What a client has to know. ``sha256`` of the certificate ``root``, a file, that vouches for the server."""

    url: str
    sha256: str
    root: str


def wanted(environment: Mapping[str, str], *, listen: str = "", cert: str = "", key: str = "") -> Listener | None:
    """Return where to listen by options, else by variables; None: nowhere. Raises E_LISTEN."""
    given = listen or environment.get(ADDRESS, "")
    if not given:
        return None
    if not (found := _ADDRESS.fullmatch(given)) or int(found["port"]) > 65535:
        raise E_LISTEN(address=given, why="it is no HOST:PORT")
    host = found["host"].strip("[]")
    more = [one.strip().lower() for one in environment.get(NAMES, "").split(",") if one.strip()]
    for one in more:
        if not (_NAME.fullmatch(one) or _is_address(one)):
            raise E_LISTEN(address=given, why=f"{NAMES} names {one!r}, which is neither a host nor an address")
    own = [] if host in EVERYWHERE else [host.lower()]
    machine = [name] if _NAME.fullmatch(name := socket.gethostname().lower()) else []
    names = tuple(dict.fromkeys((*more, *own, *(machine if not own else ()), *LOCAL)))
    cert, key = cert or environment.get(CERT, ""), key or environment.get(KEY, "")
    if bool(cert) != bool(key):
        raise E_LISTEN(address=given, why="a certificate goes with its key, and a key with its certificate")
    return Listener(host, int(found["port"]), names, cert, key)


def bound(one: Listener) -> socket.socket:
    """Return a socket at the address, so that it is known early whether that can be had. Raises E_LISTEN."""
    family = socket.AF_INET6 if ":" in one.host else socket.AF_INET
    try:
        return socket.create_server((one.host, one.port), family=family, backlog=128)
    except OSError as error:
        raise E_LISTEN(address=f"{one.host}:{one.port}", why=os.strerror(error.errno or 0)) from None


def settings(line: socket.socket, cert: str, key: str) -> Any:
    """Return how hypercorn is to serve the socket: TLS always, HTTP/1.1, and no time for who is slow."""
    from hypercorn.config import Config, Sockets

    taken = bounded(line)

    class Bound(Config):
        def create_sockets(self) -> Sockets:
            return Sockets([taken], [], [])

    config = Bound()
    config.certfile, config.keyfile = cert, key
    config.alpn_protocols = ["http/1.1"]
    config.ssl_handshake_timeout = HANDSHAKE_SECONDS
    config.keep_alive_timeout = IDLE_SECONDS
    config.h11_max_incomplete_size = HEAD_LIMIT
    config.include_server_header = False
    return config


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
