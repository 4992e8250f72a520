"""Which hosts a source may be fetched from, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from s2i.errors import E_GIT_UNREACHABLE, E_URL, E_URL_PRIVATE, E_URL_SSH
from s2i.sources.source import endpoint

ALLOW = "S2I_GIT_ALLOW"


class Policy(msgspec.Struct, frozen=True):
    """``network``: the source was asked for over the network, not by the person at the keyboard.

    The person at the keyboard may name any https or ssh host. For callers over the network every address of the
    host must be public. ``allow`` ("host" or "host:port") permits the rest: plain http, private addresses, ssh.
    """

    network: bool = False
    allow: frozenset[str] = frozenset()

    @classmethod
    def of(cls, environment: Mapping[str, str], *, network: bool = False) -> Policy:
        """Make the policy that S2I_GIT_ALLOW, a list with commas, says in ``environment``."""
        allow = frozenset(part.strip().lower() for part in environment.get(ALLOW, "").split(",") if part.strip())
        return cls(network, allow)

    def admit(self, url: str, resolve: Callable[[str, int], tuple[str, ...]] | None = None) -> tuple[str, ...]:
        """Return the addresses that the host of ``url`` is to be held to; () when it may be whatever DNS says.

        Raises E_URL, E_URL_PRIVATE, E_URL_SSH (exit 2), E_GIT_UNREACHABLE when a name cannot be resolved.
        """
        at = endpoint(url)
        if at.host in self.allow or f"{at.host}:{at.port}" in self.allow or f"[{at.host}]:{at.port}" in self.allow:
            return ()
        if at.scheme == "http":
            why = f"plain http can be changed on its way; to allow it, set {ALLOW}={at.host}:{at.port}"
            raise E_URL(url=url, why=why)
        if not self.network:
            return ()
        if at.scheme == "ssh":
            raise E_URL_SSH(host=at.host)
        addresses = (resolve or addresses_of)(at.host, at.port)
        for address in addresses:
            if not is_public(address):
                raise E_URL_PRIVATE(host=at.host, address=address)
        return addresses


def addresses_of(host: str, port: int) -> tuple[str, ...]:
    """Resolve ``host``, in any spelling that the system's resolver takes. Raises E_GIT_UNREACHABLE."""
    import socket

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise E_GIT_UNREACHABLE(host=host, why=getattr(error, "strerror", None) or str(error)) from None
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: str) -> bool:
    """Say whether ``address`` is one of the public Internet, with what is embedded in an IPv6 address unwrapped."""
    import ipaddress

    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if ip in ipaddress.ip_network("64:ff9b::/96"):  # NAT64
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def may_be_public(url: str) -> bool:
    """Say whether the host of ``url`` can be one of the public Internet by its spelling; DNS is not asked."""
    import socket
    import urllib.parse

    try:
        host = (urllib.parse.urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if "$" in host or "%" in host or host.endswith(".localhost"):
        return False
    if ":" in host:
        return is_public(host)
    try:
        # As the resolver reads a number, in any of its spellings: 127.1, 2130706433, 0x7f000001.
        return is_public(socket.inet_ntoa(socket.inet_aton(host)))
    except OSError:
        return "." in host  # a name without a dot is one of the engine's own network
