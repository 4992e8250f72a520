"""The gate: where the proxy asks for an address when it found none.

A tiny HTTP server on a unix socket, run by the s2i server. No request body ever comes here.
"""

from __future__ import annotations

import logging
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from s2i.resources.names import NAME

POLL_SECONDS = 0.5  # until a stop is seen

Wake = Callable[[str, str], str | None]

_log = logging.getLogger(__name__)


class Gate:
    """Answers ``GET /wake/PROJECT/APP`` with what ``wake(project, app)`` returns: "ip:port", or None for a 503.

    ``wake`` is called in a thread per waiting request, and takes the time that it wants the request to wait.
    """

    def __init__(self, path: Path, wake: Wake) -> None:
        self._path = path
        self._wake = wake
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen, in a thread of its own. A socket that a dead server left is replaced."""
        self._path.unlink(missing_ok=True)
        self._server = _Server(self._path, self._wake)
        threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="gate", daemon=True).start()

    def stop(self) -> None:
        """Stop listening; requests that wait get no answer any more, and the proxy says so."""
        if self._server is not None:
            self._path.unlink(missing_ok=True)
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024  # a burst at an app that sleeps

    def __init__(self, path: Path, wake: Wake) -> None:
        self.wake = wake
        super().__init__(str(path), _Request)
        path.chmod(0o600)


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        address = self._address()
        self.send_response(503 if address is None else 200)
        if address is not None:
            self.send_header("X-Upstream", address)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _address(self) -> str | None:
        words = self.path.split("/")
        if len(words) != 4 or words[:2] != ["", "wake"] or not all(NAME.fullmatch(word) for word in words[2:]):
            return None
        try:
            return self.server.wake(words[2], words[3])
        except Exception:  # noqa: BLE001 - whatever it is, the client gets a clean 503
            _log.exception("waking %s of %s failed", words[3], words[2])
            return None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing: the proxy keeps the log of requests."""
