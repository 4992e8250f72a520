"""What can be seen of the world, and what the loop remembers of it from one look to the next. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from s2i.engines.engine import Observed, Owner
from s2i.resources.tags import app_of
from s2i.router.router import Route

RESTART_DELAYS = (0.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)  # s; FAULTS F10: at most 7 restarts in 10 minutes
STEADY_SECONDS = 300.0  # an instance that ran this long has not crashed "again"
SETTLE_SECONDS = 0.03  # a request that read the old slot file has reached its address by then

App = tuple[str, str]  # project, name
Slot = tuple[str, str, str]  # project, name, instance: one sandbox and what runs in it


def slot(owner: Owner) -> Slot:
    """Return the replica slot that ``owner`` stands for."""
    return owner.project, owner.name, owner.instance


class Note(msgspec.Struct, frozen=True):
    """What is remembered of a slot; times are monotonic seconds."""

    alive: float | None = None  # since when its process runs
    ended: tuple[str, float] | None = None  # the last exit that was counted: container, its time
    crashes: int = 0
    retry_at: float = 0.0
    error: str = ""  # why the engine could not start it
    pointed: float | None = None  # since when a slot file names it
    unpointed: float | None = None  # since when none does
    quiet: int = 0  # looks in a row, after it settled, that saw no request under way


class Seen(msgspec.Struct, frozen=True):
    """One look at the world. ``in_flight`` is None when the router could not be asked.

    ``shares`` and ``routes``: also of tagged revisions, by their routes' names (see resources.tags).
    """

    containers: tuple[Observed, ...] = ()
    shares: Mapping[App, Mapping[str, int]] = {}
    in_flight: Mapping[str, int] | None = None
    ready: frozenset[str] = frozenset()  # containers that can take requests
    routes: Mapping[App, Route] = {}
    saw: Mapping[str, str] = {}  # what was seen of a container that cannot yet
    dead: Mapping[str, str] = {}  # what was seen of one that no longer works


def series(key: Slot) -> Slot:
    """Return what the slots of one revision have in common: "r3-0" is one of "r3"."""
    return (*key[:2], key[2].partition("-")[0])


def remember(
    notes: Mapping[Slot, Note], seen: Seen, wanted: Collection[Slot], now: float, acted: Collection[Slot] = ()
) -> dict[Slot, Note]:
    """Return the notes after one more look: of the slots that are seen, or of a ``wanted`` series.

    ``acted``: slots at which something is being done: what ends there ends because of that.
    """
    found = {key: _life(note, None, now) for key, note in notes.items() if series(key) in wanted}
    by_slot = group(seen.containers)
    pointed: dict[App, set[str]] = {}
    for (project, name), shares in seen.shares.items():
        pointed.setdefault((project, app_of(name)), set()).update(shares)
    for key, (sandbox, instance) in by_slot.items():
        note = notes.get(key) or Note()
        address = sandbox.address if sandbox else ""
        note = _life(note, None if key in acted and not _runs(instance) else instance, now)
        found[key] = _traffic(note, address, seen, pointed.get(key[:2], set()), now)
    return found


def group(containers: tuple[Observed, ...]) -> dict[Slot, tuple[Observed | None, Observed | None]]:
    """Return (sandbox, instance) of each app's slots."""
    found: dict[Slot, tuple[Observed | None, Observed | None]] = {}
    for one in containers:
        if one.owner.kind != "app":
            continue
        sandbox, instance = found.get(slot(one.owner), (None, None))
        found[slot(one.owner)] = (one, instance) if one.role == "sandbox" else (sandbox, one)
    return found


def failed_start(note: Note, why: str, now: float) -> Note:
    """Return ``note`` after the engine could not start the slot's instance."""
    crashes = note.crashes + 1
    return msgspec.structs.replace(note, error=why, crashes=crashes, retry_at=now + delay(crashes))


def delay(crashes: int) -> float:
    """Return how long to wait before the restart after so many crashes: the first is at once."""
    return RESTART_DELAYS[min(crashes, len(RESTART_DELAYS)) - 1] if crashes else 0.0


def _runs(instance: Observed | None) -> bool:
    return instance is not None and instance.state == "running"


def _life(note: Note, instance: Observed | None, now: float) -> Note:
    if instance is None:
        return msgspec.structs.replace(note, alive=None)
    if instance.state == "running":
        return msgspec.structs.replace(note, alive=now if note.alive is None else note.alive, error="")
    ended = (instance.id, instance.finished)
    if instance.state != "exited" or note.ended == ended:
        return msgspec.structs.replace(note, alive=None)
    steady = instance.finished - instance.started >= STEADY_SECONDS
    crashes = 1 if steady else note.crashes + 1
    return msgspec.structs.replace(note, alive=None, ended=ended, crashes=crashes, retry_at=now + delay(crashes))


def _traffic(note: Note, address: str, seen: Seen, pointed: Collection[str], now: float) -> Note:
    if address in pointed:
        began = now if note.pointed is None else note.pointed
        return msgspec.structs.replace(note, pointed=began, unpointed=None, quiet=0)
    since = now if note.unpointed is None else note.unpointed
    settled = now - since >= SETTLE_SECONDS
    idle = seen.in_flight is not None and not seen.in_flight.get(address, 0)
    quiet = note.quiet + 1 if settled and idle else 0
    return msgspec.structs.replace(note, pointed=None, unpointed=since, quiet=quiet)
