"""What goes without being asked for: the nameless images that builds of more than a day ago left."""

from __future__ import annotations

from s2i.engines.docker import connection
from s2i.images.stock import collect, listing, remove
from s2i.images.stock.built import built

OLD_SECONDS = 86_400.0  # what was replaced today may be what somebody goes back to


def tidy(now: float) -> int:
    """Remove what `s2i build` made here, lost its name, is old, and is not among the last of its title.

    ``now`` in epoch seconds; returns how many images went. Those of a server are the server's to remove.
    Raises E_DOCKER.
    """
    known = built()
    if len(known) <= collect.DEFAULT.keep:
        return 0
    engine = connection.client()
    found = collect.verdicts(listing.every(engine), known, collect.Server(), collect.Policy(before=now - OLD_SECONDS))
    return len(remove.remove(engine, (one for one in found if one.goes)))
