"""What TCP does in a network namespace, read from /proc: who listens, how many connections came."""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

LISTEN = "0A"
DNS = "0B00007F"  # 127.0.0.11, little endian: the engine's own name server, in every container


def listening(pid: int) -> tuple[tuple[str, int], ...]:
    """Return the addresses and ports in the namespace of process ``pid``; () where /proc does not show it (remote)."""
    found: set[tuple[str, int]] = set()
    for table in ("tcp", "tcp6"):
        try:
            found |= set(parse(Path(f"/proc/{pid}/net/{table}").read_text()))
        except OSError:
            continue
    return tuple(sorted(found))


def accepted(pid: int) -> int | None:
    """Return the connections accepted so far in the namespace of process ``pid``; None where /proc does not show it.

    The kernel's counter PassiveOpens (RFC 4022, tcpPassiveOpens).
    """
    try:
        rows = [line.split() for line in Path(f"/proc/{pid}/net/snmp").read_text().splitlines()]
    except OSError:
        return None
    names, values = [row for row in rows if row[0] == "Tcp:"][:2]
    return int(values[names.index("PassiveOpens")])


def parse(table: str) -> tuple[tuple[str, int], ...]:
    """Return the listening addresses and ports of one table in the format of /proc/net/tcp."""
    found: set[tuple[str, int]] = set()
    for line in table.splitlines()[1:]:
        words = line.split()
        if words[3] == LISTEN and not words[1].startswith(f"{DNS}:"):
            found.add(address(words[1]))
    return tuple(sorted(found))


def address(text: str) -> tuple[str, int]:
    """Return the address and port that the kernel writes as hexadecimal words in the machine's own byte order."""
    words, _, port = text.partition(":")
    raw = b"".join(int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8))
    found = ipaddress.ip_address(raw)
    return str(getattr(found, "ipv4_mapped", None) or found), int(port, 16)
