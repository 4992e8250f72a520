"""The body of a request, decoded."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from s2i.errors import E_REQUEST

T = TypeVar("T")


def decoded(body: bytes, kind: type[T]) -> T:
    """Return a body of JSON as ``kind``, an empty one as an empty object. Raises E_REQUEST."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise E_REQUEST(why=error) from None
