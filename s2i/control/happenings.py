"""What happens to an app by itself, as events for people: an instance that crashes, another number of instances."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Mapping

from s2i.control.autoscale import Decision
from s2i.control.fleet import Fleet, Key, Name, Place
from s2i.control.store import Store
from s2i.control.watch import Note, Slot, slot
from s2i.errors import S2IError
from s2i.resources.app import App, Event
from s2i.resources.tags import app_of

log = logging.getLogger("s2i")


def crashes(
    apps: Iterable[App],
    found: Mapping[Name, Mapping[int, Fleet]],
    before: Mapping[Slot, Note],
    now: float,
    epoch: float,
) -> list[Event]:
    """Return the crashes of instances that serve which the notes ``before`` this look did not know of.

    ``now`` is monotonic, as the notes' times are; ``epoch`` is the same moment.
    """
    return [
        _crashed(place, now, epoch)
        for app in apps
        for number, fleet in found.get((app.project, app.name), {}).items()
        if number in app.percents or number in dict(app.tags).values()
        for place in fleet.places
        if place.note.ended and place.note.ended != before.get(slot(place.work.owner), Note()).ended
    ]


def scaled(key: Key, before: int, decision: Decision, at: float) -> Event:
    """Return that another number of instances is wanted, ``at`` in epoch seconds."""
    mean = getattr(decision, decision.mode)
    text = f"revision {key[2]}: {before} -> {decision.wanted} instances ({mean:.1f} requests under way)"
    return Event(at, key[0], app_of(key[1]), "scaled", text)


def tell(store: Store, event: Event) -> None:
    """Record an event, once; what happens goes on whether or not it can be recorded.

    A server that was started anew sees a crash again that the one before it has recorded.
    """
    try:
        if not any(_same(one, event) for one in store.events(event.project, event.name)):
            store.record(event)
    except S2IError as error:
        log.warning("%s/%s %s is not recorded: %s", event.project, event.name, event.what, error)


def _same(one: Event, event: Event) -> bool:
    """Say whether both tell the same; what follows from it can be put otherwise."""
    told, new = ((each.at, each.what, each.text.partition(":")[0]) for each in (one, event))
    return told == new


def _crashed(place: Place, now: float, epoch: float) -> Event:
    owner, one = place.work.owner, place.instance
    why, at, ran = "its network ended", epoch, 0.0
    if one is not None and one.exit is not None:
        why = "it needed more memory than it may have, and was killed" if one.oom else f"exit code {one.exit}"
        at, ran = one.finished or epoch, one.finished - one.started if one.started else 0.0
    after = f" after {ran:.0f} s" if ran >= 1 else ""
    text = f"{owner.instance}: {why}{after}; {_again(place.note.retry_at - now, epoch)}"
    return Event(at, owner.project, owner.name, "crashed", text)


def _again(wait: float, epoch: float) -> str:
    if wait <= 0:
        return "it is started again at once"
    at = datetime.datetime.fromtimestamp(epoch + wait).astimezone()
    return f"it is started again in {wait:.0f} s, at {at:%H:%M:%S}"
