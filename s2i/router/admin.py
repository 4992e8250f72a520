"""Caddy's admin API, over its unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any

TIMEOUT = 10.0  # seconds; a load of 500 routes takes 0.1


class Unreachable(Exception):
    """No Caddy answers at the socket."""


class Refused(Exception):
    """Caddy answered, and did not do it: its own words."""


class Admin:
    """One Caddy. Every call opens a connection of its own: Caddy closes idle ones whenever its config changes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, path: str) -> Any:
        """Return what is at ``path``. Raises Unreachable, Refused."""
        return self._call("GET", path)

    def post(self, path: str, body: Any = None) -> None:
        """Send ``body`` as JSON to ``path``. Raises Unreachable, Refused."""
        self._call("POST", path, body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        connection = _UnixConnection(self._path)
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(str(error) or type(error).__name__) from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise Refused(text.decode(errors="replace").strip())
        return json.loads(text) if text.strip() else None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
