"""HTTP over a unix socket or TCP: the engine's API, and our own server's.

For the calls that every build makes and every command waits for: the SDK of the one and httpx take longer to import
than these take altogether.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

PORT_TLS = 2376
PIECE = 65536  # bytes
Query = Mapping[str, str | tuple[str, ...]]
JSON = {"Content-Type": "application/json"}


class Refused(Exception):
    """The answer was no success: ``status`` is that of HTTP, ``body`` what came with it; its message is the text."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body
        super().__init__(_message(body))


class Gone(OSError):
    """Nobody answers: the engine does not run, or stopped in the middle."""


class Wire:
    """Calls whoever is at ``address`` (unix:// or tcp://); each call ends within ``timeout`` seconds.

    ``server``: what answered last calls itself: "Docker/28.5.2 (linux)".
    Every call has a connection of its own and so may be made from any thread. Raises Gone when nobody answers,
    Refused when the answer is an error.
    """

    def __init__(self, address: str, timeout: float) -> None:
        self._address, self._timeout = address, timeout
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

    def follow(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[bytes]:
        """Yield what the engine answers to GET in the pieces in which it comes; no time limit but the caller's."""
        connection = _connect(self._address, None)
        try:
            connection.request("GET", _target(path, query or {}))
            response = connection.getresponse()
            if response.status >= 300:
                raise Refused(response.status, response.read())
            while piece := response.read1(PIECE):
                yield piece
        finally:
            connection.close()

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
        connection = _connect(self._address, self._timeout)
        try:
            connection.connect()
            connection.sock.settimeout(None)
            yield Stream(
                connection, lambda: connection.request(method, _target(path, query or {}), body, dict(headers or {}))
            )
        finally:
            connection.close()

    def raw(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """Send a request, with ``body`` as JSON, and return the bytes of the answer."""
        connection = _connect(self._address, timeout or self._timeout)
        try:
            connection.request(method, _target(path, query or {}), body, JSON if body else {})
            response = connection.getresponse()
            data = response.read()
            self.server = response.getheader("Server") or ""
        except (OSError, http.client.HTTPException) as error:
            raise Gone(str(error) or type(error).__name__) from error
        finally:
            connection.close()
        if response.status >= 300:
            raise Refused(response.status, data)
        return data

    def _call(self, method: str, path: str, query: Query | None, body: object = None) -> Any:
        data = self.raw(method, path, query, None if body is None else json.dumps(body).encode())
        return json.loads(data) if data.strip().startswith((b"{", b"[")) else None


class Stream:
    """A request, and its answer in lines. ``end`` may be called from another thread: who answers gives up its work."""

    def __init__(self, connection: http.client.HTTPConnection, send: Callable[[], None]) -> None:
        self._connection, self._send = connection, send

    def lines(self) -> Iterator[bytes]:
        """Send the request and yield the lines. Raises Refused, OSError, http.client.HTTPException.

        Never readline, for which an answer that breaks off between two chunks is one that has ended.
        """
        self._send()
        response = self._connection.getresponse()
        if response.status >= 300:
            raise Refused(response.status, response.read())
        rest = b""
        while piece := response.read1(PIECE):
            *whole, rest = (rest + piece).split(b"\n")
            yield from (line + b"\n" for line in whole)
        if response.length:
            raise http.client.IncompleteRead(rest, response.length)
        if rest:
            yield rest

    def end(self) -> None:
        """Close the connection under whoever reads from it."""
        if self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, LookupError, TypeError):
        return data.decode(errors="replace").strip() or "no reason is given"


def _target(path: str, query: Query) -> str:
    return f"{path}?{urllib.parse.urlencode(query, doseq=True)}" if query else path


def _connect(address: str, timeout: float | None) -> http.client.HTTPConnection:
    if address.startswith("unix://"):
        return _OnSocket(address.removeprefix("unix://"), timeout)
    parts = urllib.parse.urlsplit(address)
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        raise OSError(f"this can be reached by unix:// or tcp://, not by {parts.scheme}://")
    if os.environ.get("DOCKER_TLS_VERIFY"):
        return http.client.HTTPSConnection(parts.hostname, parts.port or PORT_TLS, timeout=timeout, context=_tls())
    return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)


def _tls() -> Any:
    import ssl

    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    return context


class _OnSocket(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float | None) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
