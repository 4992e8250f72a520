"""Which TCP ports are listened on in a network namespace, read from /proc."""

from __future__ import annotations

from pathlib import Path

LISTEN = "0A"
DNS = "0B00007F"  # 127.0.0.11, little endian: the engine's own name server, in every container


def listening(pid: int) -> tuple[int, ...]:
    """Return the ports of the namespace of process ``pid``; () where /proc does not show it (not Linux, remote)."""
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        try:
            ports |= set(parse(Path(f"/proc/{pid}/net/{table}").read_text()))
        except OSError:
            continue
    return tuple(sorted(ports))


def parse(table: str) -> tuple[int, ...]:
    """Return the listening ports of one table in the format of /proc/net/tcp."""
    found: set[int] = set()
    for line in table.splitlines()[1:]:
        words = line.split()
        host, _, port = words[1].partition(":")
        if words[3] == LISTEN and host != DNS:
            found.add(int(port, 16))
    return tuple(sorted(found))
