"""One line of the audit log."""

from __future__ import annotations

from typing import Any

import msgspec

KEPT_DAYS = 365
LEAST_DAYS = 30  # the database itself refuses to forget what is younger: see control.store.schema


class Deed(msgspec.Struct, frozen=True):
    """What somebody did, or was refused. ``at`` in epoch seconds; ``who`` as Caller has it, and from ``where``.

    ``verb`` in words of the command line ("app scale"), ``name`` of what it was done to. ``status`` is that of HTTP,
    ``code`` of the error or "". ``before``, ``after``: what of it has become otherwise; never the value of a secret.
    ``serial``: in which order these came.
    """

    at: float
    who: str
    where: str
    verb: str
    project: str = ""
    name: str = ""
    status: int = 0
    code: str = ""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    serial: int = 0
