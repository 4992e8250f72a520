"""Ask an instance over HTTP, by a deadline: whatever it answers, nobody who asks is kept longer than that."""

from __future__ import annotations

import socket
import time

import h11

HEAD_BYTES = 64 << 10  # as the proxy takes
INTERIM_LIMIT = 16  # answers of 1xx before the one that counts
PIECE_BYTES = 4096
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # with settings, none
FRAME_HEAD, SETTINGS = 9, 4  # bytes; the type, its fourth


class NoAnswer(OSError):
    """What came is no HTTP answer; its text says what it was."""


def status_of(host: str, port: int, path: str, seconds: float) -> int:
    """Return the status of ``GET path``, its head read within ``seconds``. Raises NoAnswer, TimeoutError, OSError."""
    until = time.monotonic() + seconds
    peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
    headers = [("Host", f"{host}:{port}"), ("User-Agent", "s2i-probe"), ("Connection", "close")]
    with socket.create_connection((host, port), seconds) as connection:
        try:
            connection.sendall(peer.send(h11.Request(method="GET", target=path, headers=headers)) or b"")
            peer.send(h11.EndOfMessage())
            return _status(connection, peer, until)
        except h11.ProtocolError as error:
            raise NoAnswer(str(error)) from None


def _status(connection: socket.socket, peer: h11.Connection, until: float) -> int:
    interim = 0
    while True:
        event = peer.next_event()
        if event is h11.NEED_DATA:
            peer.receive_data(_received(connection, until))
        elif isinstance(event, h11.InformationalResponse):
            interim += 1
            if interim > INTERIM_LIMIT:
                raise NoAnswer(f"it answered {event.status_code} {interim} times, and nothing else")
        elif isinstance(event, h11.Response):
            return event.status_code
        else:
            raise NoAnswer("it closed the connection without an answer")


def speaks_http_2(host: str, port: int, seconds: float) -> bool:
    """Say whether a frame of settings answers the preface of HTTP/2 (RFC 9113, 3.4) within ``seconds``."""
    until, head = time.monotonic() + seconds, b""
    try:
        with socket.create_connection((host, port), seconds) as connection:
            connection.sendall(PREFACE)
            while len(head) < FRAME_HEAD and (piece := _received(connection, until)):
                head += piece
    except OSError:
        return False
    return len(head) >= FRAME_HEAD and head[3] == SETTINGS and not any(head[5:FRAME_HEAD])


def _received(connection: socket.socket, until: float) -> bytes:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return connection.recv(PIECE_BYTES)
