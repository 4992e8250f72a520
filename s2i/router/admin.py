"""Caddy's admin API, over its unix socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from s2i.wire import Refused as _Refused
from s2i.wire import Wire

TIMEOUT = 10.0  # seconds; a load of 500 routes takes 0.1


class Unreachable(Exception):
    """No Caddy answers at the socket."""


class Refused(Exception):
    """Caddy answered, and did not do it: its own words."""


class Admin:
    """One Caddy. Every call opens a connection of its own: Caddy closes idle ones whenever its config changes."""

    def __init__(self, path: Path) -> None:
        self._wire = Wire(f"unix://{path}", TIMEOUT)

    def get(self, path: str, kind: Any = Any) -> Any:
        """Return what is at ``path``, as ``kind``. Raises Unreachable, Refused."""
        return self._call("GET", path, kind=kind)

    def post(self, path: str, body: Any = None) -> None:
        """Send ``body`` as JSON to ``path``. Raises Unreachable, Refused."""
        self._call("POST", path, body)

    def _call(self, method: str, path: str, body: Any = None, kind: Any = Any) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        try:
            text = self._wire.raw(method, path, body=data)
            return msgspec.json.decode(text, type=kind) if text.strip() else None
        except _Refused as refusal:
            raise Refused(refusal.body.decode(errors="replace").strip()) from None
        except (OSError, msgspec.DecodeError) as error:
            raise Unreachable(str(error) or type(error).__name__) from None
