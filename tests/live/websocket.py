"""A client of WebSocket (RFC 6455) that says one short text and returns what comes back."""

from __future__ import annotations

import base64
import os
import socket
import struct

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class WebSocket:
    """One connection to ``host`` (a name that the router knows) at 127.0.0.1:``port``."""

    def __init__(self, host: str, port: int, path: str = "/", timeout: float = 30.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(HANDSHAKE.format(path=path, host=host, key=key).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = self._socket.recv(1)
            assert piece, f"the handshake breaks off: {head!r}"
            head += piece
        assert head.startswith(b"HTTP/1.1 101"), head

    def ask(self, text: str) -> str:
        """Send ``text`` (less than 126 bytes) and return the next text that comes."""
        data, mask = text.encode(), os.urandom(4)
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
        self._socket.sendall(struct.pack("!BB", 0x81, 0x80 | len(data)) + mask + masked)
        kind, size = self._exactly(2)
        assert (kind, size < 126) == (0x81, True)
        return self._exactly(size).decode()

    def close(self) -> None:
        """Close the connection without a word."""
        self._socket.close()

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            piece = self._socket.recv(size - len(found))
            assert piece, "the connection is closed"
            found += piece
        return found
