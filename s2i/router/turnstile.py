"""The turnstile: where the proxy asks, for each request of an app with a limit, which instance has room.

A tiny HTTP server on a unix socket, run by the s2i server; no request body ever comes here. Its answer names an address
and promises a byte that never comes: the proxy closes the connection when the request that it asked for is over, or its
client is gone. So a connection is a lease, and no lease outlives its request.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from s2i.resources.names import NAME

WAIT_SECONDS = 0.005  # between two looks while a request waits
SWEEP_SECONDS = 0.5  # after a request that did not
FAULT_SECONDS = 0.1
HEAD_BYTES = 128 << 10  # a client's headers come along: the proxy takes 64 KB of them
BACKLOG = 4096

NONE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FOUND = "HTTP/1.1 200 OK\r\nX-Upstream: {}\r\nContent-Length: 1\r\n\r\n"

Answer = Callable[[str | None], None]

_log = logging.getLogger(__name__)


class Throttle(Protocol):
    """Who decides. Every call comes from one thread."""

    def ask(self, project: str, app: str, lost: str, answer: Answer) -> Callable[[], None]:
        """Call ``answer`` with "ip:port" as soon as an instance has room, or with None when there will be none.

        ``lost``: an address that was given for this request, and takes no connection. Returns what to call when the
        request is over, answered or not.
        """

    def tick(self) -> float:
        """Do what time has made due; return the seconds until it is to be called again, when nobody asks before."""


class Turnstile:
    """Answers ``GET /turn/PROJECT/APP`` as ``throttle`` decides: "ip:port", or a 503."""

    def __init__(self, path: Path, throttle: Throttle) -> None:
        self._path, self._throttle = path, throttle
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._due: asyncio.TimerHandle | None = None
        self._open: set[_Request] = set()

    def start(self) -> None:
        """Listen, in a thread of its own. A socket that a dead server left is replaced."""
        self._path.unlink(missing_ok=True)
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="turnstile", daemon=True).start()
        ready.wait(10)

    def stop(self) -> None:
        """Stop listening; requests that wait get no answer any more, those under way go on."""
        if self._loop is not None and self._ended is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._ended.set)
            self._loop = None
            self._path.unlink(missing_ok=True)

    async def _serve(self, ready: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._ended = loop, asyncio.Event()
        made = functools.partial(_Request, self._throttle, self._tick_by, self._open)
        server = await loop.create_unix_server(made, self._path, backlog=BACKLOG)
        self._path.chmod(0o600)
        self._tick()
        ready.set()
        await self._ended.wait()
        server.close()
        for one in tuple(self._open):
            one.abort()

    def _tick(self) -> None:
        self._due = None
        pause = FAULT_SECONDS
        try:
            pause = self._throttle.tick()
        except Exception:  # noqa: BLE001 - those that wait are looked after the next time
            _log.exception("the turnstile stumbled")
        self._tick_by(pause)

    def _tick_by(self, pause: float) -> None:
        """Have the throttle ticked in ``pause`` seconds at the latest."""
        loop = asyncio.get_running_loop()
        at = loop.time() + pause
        if self._due is not None:
            if self._due.when() <= at:
                return
            self._due.cancel()
        self._due = loop.call_at(at, self._tick)


class _Request(asyncio.Protocol):
    """One request that asks, and then its lease."""

    def __init__(self, throttle: Throttle, tick_by: Callable[[float], None], every: set[_Request]) -> None:
        self._throttle, self._tick_by, self._every = throttle, tick_by, every
        self._transport: asyncio.Transport
        self._head = b""
        self._over: Callable[[], None] | None = None
        self._asked = self._answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._every.add(self)

    def abort(self) -> None:
        """Close the connection at once, whatever became of the request."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._asked:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._asked = True
            self._ask(self._head.partition(b"\r\n")[0].decode("latin-1"))
            self._head = b""
        elif len(self._head) > HEAD_BYTES:
            self._answer(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._every.discard(self)
        self._answered = True
        if self._over is not None:
            self._over()

    def _ask(self, line: str) -> None:
        words = line.split(" ")
        parts = words[1].split("/") if len(words) == 3 else []
        if len(parts) not in (4, 5) or parts[:2] != ["", "turn"] or not all(map(NAME.fullmatch, parts[2:4])):
            self._answer(None)
            return
        try:
            self._over = self._throttle.ask(parts[2], parts[3], "".join(parts[4:]), self._answer)
            self._tick_by(SWEEP_SECONDS if self._answered else WAIT_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a clean 503
            _log.exception("no turn for %s of %s", parts[3], parts[2])
            self._answer(None)

    def _answer(self, address: str | None) -> None:
        if self._answered or self._transport.is_closing():
            return
        self._answered = True
        if address is None:
            self._transport.write(NONE)
            self._transport.close()
        else:
            self._transport.write(FOUND.format(address).encode())
