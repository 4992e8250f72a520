"""What a build is given in private, as it came over the wire."""

from __future__ import annotations

from collections.abc import Sequence

from s2i.errors import E_INDEX
from s2i.images.private import arguments, index, secrets
from s2i.resources.secret import Secret


def received(given: Sequence[Secret], address: str, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[Secret, ...], str]:
    """Return the secrets in order and the index's address. Raises E_SECRET, E_INDEX, E_BUILD_ARG (exit 2)."""
    kept = secrets.distinct([secrets.checked(each) for each in given])
    for name, value in pairs:
        arguments.parse(f"{name}={value}", {})
    if not address:
        return kept, ""
    url, user, _ = index.apart(address, "the request")
    if user:
        raise E_INDEX(url=url, origin="the request", why="its credentials belong into the secret netrc")
    return kept, url
