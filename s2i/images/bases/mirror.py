"""Which Debian mirror to take packages from: the one this machine itself uses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

ARCHIVE = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Mirror(msgspec.Struct, frozen=True):
    """Two addresses: the archive's, and that of its security updates."""

    archive: str = ARCHIVE
    security: str = SECURITY

    def lines(self, suite: str) -> tuple[str, ...]:
        """Return the sources.list of ``suite``: as released, with its updates and security updates.

        The release under test ("forky" today) has neither: its suites exist, mostly empty.
        """
        signed = f"[signed-by={KEYRING}]"
        return (
            f"deb {signed} {self.archive} {suite} main",
            f"deb {signed} {self.archive} {suite}-updates main",
            f"deb {signed} {self.security} {suite}-security main",
        )


def find(etc: Path = Path("/etc/apt")) -> Mirror:
    """Return the mirror to use: ``S2I_DEBIAN_MIRROR``, else what apt uses here, else Debian's own."""
    given = os.environ.get("S2I_DEBIAN_MIRROR", "").rstrip("/")
    if given:
        return Mirror(given, os.environ.get("S2I_DEBIAN_SECURITY_MIRROR", "").rstrip("/") or f"{given}-security")
    addresses = tuple(_addresses(etc))
    archive = next((a for a in addresses if _last(a) == "debian"), ARCHIVE)
    security = next((a for a in addresses if _last(a) == "debian-security"), SECURITY)
    return Mirror(archive, security)


def _last(address: str) -> str:
    return address.rpartition("/")[2]


def _addresses(etc: Path) -> Iterator[str]:
    """Yield the http, https and file addresses in apt's sources, in the order of the files."""
    for path in (etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        if path.suffix == ".sources":
            found = [a for line in re.findall(r"(?im)^URIs:(.*)$", text) for a in line.split()]
        elif path.suffix == ".list":
            found = re.findall(r"(?m)^deb\s+(?:\[[^\]]*\]\s*)?(\S+)", text)
        else:
            continue
        yield from (a.rstrip("/") for a in found if a.startswith(("http://", "https://", "file:")))
