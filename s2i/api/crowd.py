"""How many connections there are at once at the listener on TCP: each costs memory, before anybody shows a token."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from typing import Any

MOST, MOST_OF_ONE = 512, 128  # at once, in all and of one address; an idle one costs a quarter of a megabyte


class Crowd:
    """The connections that are open, by address. Usable from many threads."""

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count one more; say whether there is room for it, and count it only then."""
        with self._lock:
            if self._open.total() >= self._most or self._open[address] >= self._most_of_one:
                return False
            self._open[address] += 1
            return True

    def leave(self, address: str) -> None:
        """Count one less."""
        with self._lock:
            self._open[address] -= 1
            if self._open[address] <= 0:
                del self._open[address]


class Bounded(socket.socket):
    """A listening socket that hangs up on who comes when there is no room: nobody is kept waiting for them."""

    crowd: Crowd

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the next connection for which there is room, and its address. Raises OSError as a socket does."""
        while True:
            line, address = super().accept()
            if self.crowd.enter(address[0]):
                return _Line.of(line, self.crowd, address[0]), address
            line.close()


class _Line(socket.socket):
    """A connection that is counted until it is closed."""

    _leave: tuple[Crowd, str] | None = None

    @classmethod
    def of(cls, line: socket.socket, crowd: Crowd, address: str) -> _Line:
        made = cls(fileno=line.detach())
        made._leave = (crowd, address)
        return made

    def close(self) -> None:
        """Close it, and count it no more."""
        leave, self._leave = self._leave, None
        if leave:
            leave[0].leave(leave[1])
        super().close()


def bounded(line: socket.socket) -> Bounded:
    """Return a listening socket with the bounds above in the place of ``line``."""
    made = Bounded(fileno=line.detach())
    made.crowd = Crowd()
    return made
