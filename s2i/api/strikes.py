"""How many bad tokens came from where: past a number, an address is told to wait (THREATS T70)."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict

MOST = 20  # bad tokens in one window
WINDOW_SECONDS = 60.0
ADDRESSES = 4096  # that are remembered
LINES = 10  # of the log in one window


class Strikes:
    """The bad tokens of the last window, by address. For one thread: that of the listener."""

    def __init__(self, most: int = MOST, seconds: float = WINDOW_SECONDS, addresses: int = ADDRESSES) -> None:
        self._most, self._seconds, self._addresses = most, seconds, addresses
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()  # since when, how many
        self._told: tuple[float, int] = (-math.inf, 0)

    def __len__(self) -> int:
        return len(self._counts)

    def wait(self, address: str, now: float) -> int:
        """Return for how many seconds, rounded up, bad tokens from there are not even looked at; 0: they are."""
        since, count = self._counts.get(_group(address), (now, 0))
        left = since + self._seconds - now
        return math.ceil(left) if count >= self._most and left > 0 else 0

    def add(self, address: str, now: float) -> bool:
        """Count one; say whether that is to be logged: the first of an address, and the last that counts."""
        key = _group(address)
        since, count = self._counts.get(key, (now, 0))
        since, count = (since, count + 1) if now - since < self._seconds else (now, 1)
        self._counts[key] = (since, count)
        self._counts.move_to_end(key)
        while len(self._counts) > self._addresses:
            self._counts.popitem(last=False)
        return count in (1, self._most) and self._tell(now)

    def _tell(self, now: float) -> bool:
        since, lines = self._told
        since, lines = (since, lines + 1) if now - since < self._seconds else (now, 1)
        self._told = (since, lines)
        return lines <= LINES


def _group(address: str) -> str:
    """Return what stands for an address: of IPv6 its network, of which each client has billions."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
