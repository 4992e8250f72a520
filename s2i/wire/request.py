"""A request, and the connection that it goes over."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl

PORT, PORT_TLS, PORT_HTTPS = 80, 2376, 443


def connect(address: str, timeout: float | None, private: ssl.SSLContext | None = None) -> socket.socket:
    """Return a connection to ``address`` (unix:// or tcp://), each use of which ends within ``timeout`` seconds.

    TLS by ``private``, else as DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say. Raises OSError.
    """
    if address.startswith("unix://"):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.settimeout(timeout)
            line.connect(address.removeprefix("unix://"))
        except OSError:
            line.close()
            raise
        return line
    parts = urlsplit(address)
    if parts.scheme not in ("tcp", "http", "https") or not parts.hostname:
        raise OSError(f"this can be reached by unix:// or tcp://, not by {parts.scheme}://")
    port = parts.port or (PORT_HTTPS if private else 0)
    private = private or (_tls() if os.environ.get("DOCKER_TLS_VERIFY") else None)
    line = socket.create_connection((parts.hostname, port or (PORT_TLS if private else PORT)), timeout)
    try:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return private.wrap_socket(line, server_hostname=parts.hostname) if private else line
    except OSError:
        line.close()
        raise


def head(address: str, method: str, target: str, headers: Mapping[str, str], size: int | None) -> bytes:
    """Return the head of a request with a body of ``size`` bytes, None for none. Raises OSError.

    ``Connection: close``, since every call has a connection of its own.
    """
    host = "localhost" if address.startswith("unix://") else urlsplit(address).netloc.rpartition("@")[2]
    fields = {"Host": host, "Accept-Encoding": "identity", "Connection": "close", **headers}
    if size is not None:
        fields["Content-Length"] = str(size)
    lines = (f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()))
    for line in lines:
        # A line end would begin a field, or a request, of its own.
        if not (line.isascii() and line.isprintable()) or (line is lines[0] and line.count(" ") != 2):
            raise OSError(f"this cannot be asked for by HTTP: {line[:80]!r}")
    return "\r\n".join((*lines, "", "")).encode()


def _tls() -> ssl.SSLContext:
    import ssl

    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "cert.pem"), str(folder / "key.pem"))
    return context
