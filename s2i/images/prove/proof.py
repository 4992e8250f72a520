"""What a proof has seen, and what it says."""

from __future__ import annotations

from typing import Literal

import msgspec

# What stands in the way. "" proven; "outside": it wants what is not there without a network, and may be well.
Cause = Literal[
    "", "outside", "memory", "import", "variable", "exited", "hangs", "loopback", "elsewhere", "mute", "silent",
    "callable", "command",
]  # fmt: skip


class Found(msgspec.Struct, frozen=True):
    """What the entry turned out to be when it was imported inside of the image: nothing of it is to be trusted.

    ``kind``: of the object, or of what the factory makes. ``names``: what else of the module looks like an
    application, as (name, shape). ``error``, ``text``, ``file``, ``line``, ``absent``: what importing it raised, the
    line of the source that led there, the module that is not installed. ``stack``: where it was when its time was up.
    """

    shape: Literal["wsgi", "asgi", "factory", "value", "unknown", "missing", "error", "exits", "hangs", "nothing"]
    kind: Literal["", "wsgi", "asgi"] = ""
    type: str = ""
    names: tuple[tuple[str, str], ...] = ()
    error: str = ""
    text: str = ""
    file: str = ""
    line: int = 0
    absent: str = ""
    stack: tuple[str, ...] = ()


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of a container until it answered, ended, or had no more time. ``port`` is its $PORT.

    ``answer`` is the status of an HTTP answer, "nothing" when a connection was taken and no HTTP came, "" when nobody
    took one. ``privileges`` is "" where they cannot be seen.
    """

    port: int
    limit: float
    running: bool
    seconds: float = 0.0
    exit: int | None = None
    oom: bool = False
    answer: str = ""
    listening: tuple[tuple[str, int], ...] = ()
    privileges: str = ""
    log: tuple[str, ...] = ()
    found: Found | None = None

    @property
    def is_served(self) -> bool:
        """Whether the answer is the application's own: a server says 5xx for one that it cannot call."""
        return self.answer.isdigit() and self.answer < "500"


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at: how it went, what was seen, and in how many seconds (0: nobody waited)."""

    name: Literal["command", "import", "start", "listen", "answer", "user", "files", "stop"]
    ok: bool
    seen: str
    seconds: float = 0.0


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one image. ``why`` is one sentence when it is not proven; ``log`` holds the lines that prove it.

    ``where`` is the ``file:line`` of the source that it comes from, when that is known. ``known``: this very image was
    proven before, run in the same way.
    """

    image: str
    kind: str
    entry: str
    cause: Cause = ""
    why: str = ""
    advice: str = ""
    where: str = ""
    checks: tuple[Check, ...] = ()
    seen: Seen | None = None
    log: tuple[str, ...] = ()
    seconds: float = 0.0
    known: bool = False

    @property
    def proven(self) -> bool:
        """Whether the image does what the platform needs."""
        return not self.cause
