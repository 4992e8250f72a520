"""The body of a request, decoded."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from s2i.errors import E_REQUEST

T = TypeVar("T")
# All that a body can be wrong by: msgspec tells bytes that are no text, and lists in lists without end, in errors of
# Python's own.
FAULTS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def decoded(body: bytes, kind: type[T]) -> T:
    """Return a body of JSON as ``kind``, an empty one as an empty object. Raises E_REQUEST."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except FAULTS as error:
        raise E_REQUEST(why=error) from None
