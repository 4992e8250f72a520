"""A secret that a build or a container is given: it hides its value wherever it is shown."""

from __future__ import annotations

import msgspec

from s2i.patterns import lazily

ID = lazily(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
LIMIT = 500 << 10  # bytes: what BuildKit takes


class Secret(msgspec.Struct, frozen=True):
    """A value by its ``id``. As JSON it carries the value, in base64: for the wire, never for a file or a person."""

    id: str
    value: bytes

    def __repr__(self) -> str:
        return f"<secret {self.id}>"
