"""Package indexes for tests, on the engine's bridge: one package, with or without a password."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "s2i_canary"


def wheel(version: str) -> bytes:
    """Return a wheel of NAME whose VERSION is ``version``."""
    held = io.BytesIO()
    about = f"{NAME}-{version}.dist-info"
    files = {
        f"{NAME}/__init__.py": f"VERSION = '{version}'\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: s2i\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(held, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return held.getvalue()


class Index:
    """One index. ``asked`` are the paths of the requests that were answered, ``refused`` of those that were not."""

    def __init__(self, host: str, version: str, login: str) -> None:
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.login = login
        self._wheel, self._file = wheel(version), f"{NAME}-{version}-py3-none-any.whl"
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.answer(self)

            do_HEAD = do_GET  # noqa: N815 - the name is http.server's

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer((host, 0), Handler)
        self.host, self.port = host, self.server.server_address[1]
        self.url = f"http://{host}:{self.port}/simple"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request as PEP 503 says."""
        wanted = f"Basic {base64.b64encode(self.login.encode()).decode()}"
        if self.login and request.headers.get("Authorization") != wanted:
            self.refused.append(request.path)
            return self._send(request, 401, b"")
        self.asked.append(request.path)
        if request.path == f"/simple/{NAME.replace('_', '-')}/":
            digest = hashlib.sha256(self._wheel).hexdigest()
            return self._send(request, 200, f'<a href="/files/{self._file}#sha256={digest}">{self._file}</a>'.encode())
        if request.path == f"/files/{self._file}":
            return self._send(request, 200, self._wheel)
        return self._send(request, 404, b"")

    def _send(self, request: BaseHTTPRequestHandler, status: int, data: bytes) -> None:
        request.send_response(status)
        if status == 401:
            request.send_header("WWW-Authenticate", 'Basic realm="packages"')
        request.send_header("Content-Type", "text/html" if request.path.startswith("/simple") else "application/zip")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(data)


@contextlib.contextmanager
def serving(host: str, version: str, login: str = "") -> Iterator[Index]:
    """Serve an index on ``host`` for the block; ``login`` is "user:password"."""
    index = Index(host, version, login)
    thread = threading.Thread(target=index.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield index
    finally:
        index.server.shutdown()
        index.server.server_close()
        thread.join()
