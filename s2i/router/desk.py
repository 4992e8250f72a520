"""A desk: where the proxy asks for an address to send a request to.

A tiny HTTP server on a unix socket, run by the s2i server; no request body ever comes here. There are two. At the gate
it asks when nothing listens where the request went. At the turnstile it asks for each request of an app with a limit:
that answer promises a byte that never comes, and the proxy closes the connection when the request that it asked for is
over, or its client is gone. So a connection is a lease, and no lease outlives its request.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from s2i.resources.names import NAME

WAIT_SECONDS = 0.005  # between two looks while a request waits
SWEEP_SECONDS = 0.5  # after a request that did not
FAULT_SECONDS = 0.1
HEAD_BYTES = 128 << 10  # a client's headers come along: the proxy takes 64 KB of them
BACKLOG = 4096

NONE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FOUND = "HTTP/1.1 200 OK\r\nX-Upstream: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
LEASED = "HTTP/1.1 200 OK\r\nX-Upstream: {}\r\nContent-Length: 1\r\n\r\n"

Answer = Callable[[str | None], None]
# Given a project, an app, an address that was given for this request and takes no connection (or ""), and whom to tell
# "ip:port" once an instance takes it, or None when none will. Returns what to call when the request is over, answered
# or not. It is called in the desk's thread; the answer may come from any.
Ask = Callable[[str, str, str, Answer], Callable[[], None]]
Tick = Callable[[], float]

_log = logging.getLogger(__name__)


class Desk:
    """Answers ``GET /VERB/PROJECT/APP[/LOST]`` as ``ask`` decides: "ip:port", as a ``lease`` or once, or a 503.

    ``tick`` is called in the desk's thread for what time has made due; it returns the seconds until it is to be called
    again, when nobody asks before.
    """

    def __init__(self, path: Path, verb: str, ask: Ask, tick: Tick | None = None, *, lease: bool = False) -> None:
        self._path, self._verb, self._ask, self._tick = path, verb, ask, tick
        self.lease = lease
        self.open: set[_Request] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._due: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Listen, in a thread of its own. A socket that a dead server left is replaced."""
        self._path.unlink(missing_ok=True)
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name=self._verb, daemon=True).start()
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
        server = await loop.create_unix_server(lambda: _Request(self, loop), self._path, backlog=BACKLOG)
        self._path.chmod(0o600)
        if self._tick:
            self._look()
        ready.set()
        await self._ended.wait()
        server.close()
        for one in tuple(self.open):
            one.abort()

    def _look(self) -> None:
        self._due = None
        pause = FAULT_SECONDS
        try:
            pause = self._tick() if self._tick else pause
        except Exception:  # noqa: BLE001 - those that wait are looked after the next time
            _log.exception("the desk of /%s stumbled", self._verb)
        self._look_by(pause)

    def _look_by(self, pause: float) -> None:
        """Look what is due in ``pause`` seconds at the latest."""
        loop = asyncio.get_running_loop()
        at = loop.time() + pause
        if self._due is not None:
            if self._due.when() <= at:
                return
            self._due.cancel()
        self._due = loop.call_at(at, self._look)

    def asked(self, line: str, request: _Request) -> Callable[[], None] | None:
        """Ask for the request whose first ``line`` this is; return what to call when it is over."""
        words = line.split(" ")
        parts = words[1].split("/") if len(words) == 3 else []
        if len(parts) not in (4, 5) or parts[:2] != ["", self._verb] or not all(map(NAME.fullmatch, parts[2:4])):
            request.answer(None)
            return None
        over = None
        try:
            over = self._ask(parts[2], parts[3], "".join(parts[4:]), request.answer)
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a clean 503
            _log.exception("nothing is found for %s of %s", parts[3], parts[2])
            request.answer(None)
        if self._tick:
            self._look_by(SWEEP_SECONDS if request.answered else WAIT_SECONDS)
        return over


class _Request(asyncio.Protocol):
    """One request that asks, and then its lease, where there is one."""

    def __init__(self, desk: Desk, loop: asyncio.AbstractEventLoop) -> None:
        self._desk, self._loop, self._thread = desk, loop, threading.get_ident()
        self._transport: asyncio.Transport
        self._head = b""
        self._over: Callable[[], None] | None = None
        self._asked = False
        self.answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._desk.open.add(self)

    def abort(self) -> None:
        """Close the connection at once, whatever became of the request."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._asked:
            return
        self._head += data
        if b"\r\n\r\n" in self._head:
            self._asked = True
            line, self._head = self._head.partition(b"\r\n")[0].decode("latin-1"), b""
            self._over = self._desk.asked(line, self)
        elif len(self._head) > HEAD_BYTES:
            self.answer(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._desk.open.discard(self)
        self.answered = True
        if self._over is not None:
            self._over()

    def answer(self, address: str | None) -> None:
        """Send the proxy to ``address``, or give it a 503; once, from whichever thread."""
        if threading.get_ident() != self._thread:
            with contextlib.suppress(RuntimeError):  # the desk is closed: nobody waits for an answer
                self._loop.call_soon_threadsafe(self.answer, address)
            return
        if self.answered or self._transport.is_closing():
            return
        self.answered = True
        found = LEASED if self._desk.lease else FOUND
        self._transport.write(found.format(address).encode() if address else NONE)
        if not (address and self._desk.lease):
            self._transport.close()
