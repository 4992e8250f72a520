"""HTTP over a unix socket or TCP: the engine's API, and our own server's.

For the calls that every build makes and every command waits for: the SDK of the one and httpx take longer to import
than these take altogether.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Iterable, Iterator, Mapping
from io import BufferedReader
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from urllib.parse import urlencode

import msgspec

from s2i.wire import request
from s2i.wire.answer import PIECE, Answer, NoHTTP

if TYPE_CHECKING:
    import ssl

__all__ = ["Gone", "NoHTTP", "Refused", "Stream", "Wire"]

Query = Mapping[str, str | tuple[str, ...]]
JSON = {"Content-Type": "application/json"}


class Refused(Exception):
    """The answer was no success: ``status`` is that of HTTP, ``body`` what came with it; its message is the text."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        super().__init__(_message(body))


class Gone(OSError):
    """Nobody answers: the engine does not run, or stopped in the middle."""


class _Parts(NamedTuple):
    """A body in pieces, and how long it is."""

    pieces: Iterable[bytes]
    size: int | None


class Wire:
    """Calls whoever is at ``address`` (unix:// or tcp://); each use of a connection ends within ``timeout`` seconds.

    ``server``: what answered last calls itself: "Docker/28.5.2 (linux)".
    ``tls``: how it is secured; ``headers`` go with each call.
    Every call has a connection of its own and so may be made from any thread. Raises Gone when nobody answers,
    Refused when the answer is an error.
    """

    def __init__(
        self,
        address: str,
        timeout: float,
        *,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._address, self._timeout = address, timeout
        self._tls, self._headers = tls, dict(headers or {})
        self.server = ""

    def get(self, path: str, query: Query | None = None) -> Any:
        """Return the JSON that is answered to GET."""
        return self._call("GET", path, query)

    def post(self, path: str, query: Query | None = None, body: object = None) -> Any:
        """Return the JSON that is answered to POST, None for an empty answer."""
        return self._call("POST", path, query, body)

    def delete(self, path: str, query: Query | None = None) -> Any:
        """Return the JSON that is answered to DELETE, None for an empty answer."""
        return self._call("DELETE", path, query)

    def follow(self, path: str, query: Query | None = None) -> Iterator[bytes]:
        """Yield what the engine answers to GET in the pieces in which it comes; no time limit but the caller's."""
        with self.stream("GET", path, query) as answer:
            yield from answer.pieces()

    @contextlib.contextmanager
    def stream(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Iterator[Stream]:
        """Yield what sends a request and reads the answer while it comes; no time limit but the caller's."""
        with self._asked(method, path, query, body, headers or {}, None) as answer:
            yield answer

    def raw(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """Send a request, with ``body`` as JSON, and return the bytes of the answer."""
        return self._sent(method, path, query, body, JSON if body else {}, timeout or self._timeout)

    def send(self, path: str, file: BinaryIO, size: int, kind: str, timeout: float | None = None) -> bytes:
        """Send ``size`` bytes of a file of that media type by POST, and return the bytes of the answer."""
        parts = iter(lambda: file.read(PIECE), b"")
        return self._sent("POST", path, None, _Parts(parts, size), {"Content-Type": kind}, timeout or self._timeout)

    def _sent(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | _Parts | None,
        headers: Mapping[str, str],
        timeout: float,
    ) -> bytes:
        try:
            with self._asked(method, path, query, body, headers, timeout) as asked:
                answer = asked.answer()
                data = answer.read()
        except OSError as error:
            raise Gone(str(error) or type(error).__name__) from error
        self.server = answer.headers.get("server", "")
        if answer.status >= 300:
            raise Refused(answer.status, data)
        return data

    @contextlib.contextmanager
    def _asked(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: bytes | _Parts | None,
        headers: Mapping[str, str],
        timeout: float | None,
    ) -> Iterator[Stream]:
        target = f"{path}?{urlencode(query, doseq=True)}" if query else path
        pieces, size = body if isinstance(body, _Parts) else _Parts((body,) if body else (), len(body or b""))
        if body is None and method not in ("POST", "PUT"):
            size = None
        head = request.head(self._address, method, target, {**self._headers, **headers}, size)
        line = request.connect(self._address, self._timeout, self._tls)
        with line as connection, connection.makefile("rb") as file:
            connection.settimeout(timeout)
            # Not an empty part: whoever has answered already, and closed, would break the pipe by it.
            yield Stream(connection, file, method, itertools.chain((head,), pieces))

    def _call(self, method: str, path: str, query: Query | None, body: object = None) -> Any:
        data = self.raw(method, path, query, None if body is None else msgspec.json.encode(body))
        try:
            return msgspec.json.decode(data) if data.strip().startswith((b"{", b"[")) else None
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise Gone(f"its answer is no JSON: {error}") from None


class Stream:
    """A request, and its answer in pieces: one call of ``answer``, ``pieces`` or ``lines`` sends it.

    ``end`` may be called from another thread, also while it is sent: who answers gives up its work.
    """

    def __init__(self, connection: socket.socket, file: BufferedReader, method: str, parts: Iterable[bytes]) -> None:
        self._connection, self._file, self._method, self._parts = connection, file, method, parts

    def answer(self) -> Answer:
        """Send the request and wait for the head of the answer. Raises OSError."""
        try:
            for part in self._parts:
                self._connection.sendall(part)
        except TimeoutError:
            raise
        except OSError:
            # Who has refused a body does not wait for the rest of it, but has said why.
            with contextlib.suppress(OSError):
                return Answer(self._file, self._method)
            raise
        return Answer(self._file, self._method)

    def pieces(self) -> Iterator[bytes]:
        """Send the request and yield what comes. Raises Refused, OSError."""
        yield from self._good().pieces()

    def lines(self) -> Iterator[bytes]:
        """Send the request and yield the lines. Raises Refused, OSError."""
        yield from self._good().lines()

    def end(self) -> None:
        """Close the connection under whoever reads from it."""
        with contextlib.suppress(OSError):
            # The socket's below TLS, whose own one takes away what the reader is about to use.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)

    def _good(self) -> Answer:
        answer = self.answer()
        if answer.status >= 300:
            raise Refused(answer.status, answer.read())
        return answer


def _message(data: bytes) -> str:
    try:
        return str(msgspec.json.decode(data)["message"])
    except (msgspec.DecodeError, LookupError, TypeError, ValueError, RecursionError):
        return data.decode(errors="replace").strip() or "no reason is given"
