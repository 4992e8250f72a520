"""An engine that fails once by a fault of its own: in front of a real one, with what one has said of a build."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def engine(host: str, place: Path, said: bytes) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of an engine at ``place`` that answers the first build with ``said``, and what it did of each.

    All else is answered by the engine at ``host``.
    """
    builds: list[str] = []

    def serve(one: socket.socket) -> None:
        with one, socket.socket(socket.AF_UNIX) as real, contextlib.suppress(OSError):
            head = one.recv(65536)
            if head.startswith(b"POST /build"):
                builds.append("real" if builds else "faulty")
            if head.startswith(b"POST /build") and builds == ["faulty"]:
                _whole(one, head)
                one.sendall(HEAD + said)
                return
            real.connect(host.removeprefix("unix://"))
            real.sendall(head)
            back = threading.Thread(target=_pass, args=(real, one), daemon=True)
            back.start()
            _pass(one, real)
            back.join()

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        listening.listen()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"unix://{place}", builds


def _whole(one: socket.socket, data: bytes) -> None:
    """Read a request to its end."""
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    left = int(length.split(b":")[1]) - len(body)
    while left > 0:
        left -= len(one.recv(65536))


def _pass(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
