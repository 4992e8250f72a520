"""Find out when a started instance answers HTTP: any answer counts, healthy apps say 302, 401, 404, 422 to ``/``.

One that speaks only HTTP/2 answers with a frame of settings to whoever begins with the preface of it (RFC 9113, 3.4).
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Mapping

LIMIT_SECONDS = 2.0
PAUSE_SECONDS = 0.02
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # with settings, none
FRAME_HEAD, SETTINGS = 9, 4  # bytes; the type, its fourth


class Prober:
    """One small thread per instance that has not answered yet, so that a slow one delays no other."""

    def __init__(self, on_ready: Callable[[], None], probe: Callable[[str], bool] | None = None) -> None:
        self._on_ready = on_ready
        self.answers = probe or answers
        self._lock = threading.Lock()
        self._ready: dict[str, str] = {}
        self._probing: dict[str, str] = {}

    def ready(self, running: Mapping[str, str]) -> frozenset[str]:
        """Return those of ``running`` (container to address) that have answered there; probe the others."""
        with self._lock:
            self._ready = {one: address for one, address in self._ready.items() if running.get(one) == address}
            asked = {one: address for one, address in running.items() if one not in self._ready}
            fresh = [one for one in asked if self._probing.get(one) != asked[one]]
            self._probing = asked
            found = frozenset(self._ready)
        for one in fresh:
            name = f"probe {one[:12]}"
            threading.Thread(target=self._ask, args=(one, asked[one]), name=name, daemon=True).start()
        return found

    def _ask(self, container: str, address: str) -> None:
        while True:
            with self._lock:
                if self._probing.get(container) != address:
                    return
            if self.answers(address):
                break
            time.sleep(PAUSE_SECONDS)
        with self._lock:
            if self._probing.get(container) != address:
                return
            del self._probing[container]
            self._ready[container] = address
        self._on_ready()


def answers(address: str) -> bool:
    """Say whether something answers HTTP at "ip:port" within LIMIT_SECONDS."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT_SECONDS)
    try:
        connection.request("GET", "/", headers={"User-Agent": "s2i-probe", "Connection": "close"})
        connection.getresponse()
    except ConnectionRefusedError:
        return False
    except (http.client.HTTPException, ConnectionError):
        return _speaks_http_2(host, int(port))
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _speaks_http_2(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), LIMIT_SECONDS) as connection, connection.makefile("rb") as reader:
            connection.sendall(PREFACE)
            head = reader.read(FRAME_HEAD)
    except OSError:
        return False
    return len(head) == FRAME_HEAD and head[3] == SETTINGS and not any(head[5:])
