"""One app: bring its next revision up, switch to it, keep what serves, let what is not needed go. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from s2i.control.actions import (
    Action,
    EndInstance,
    Exited,
    MarkFailed,
    MarkReady,
    MarkServing,
    MarkSettled,
    NeverReady,
    NotStarted,
    Park,
    PointRoute,
    StartInstance,
    StopInstance,
)
from s2i.control.fleet import Fleet, Place
from s2i.control.watch import Note, Seen, slot
from s2i.engines.engine import Observed
from s2i.resources.app import App
from s2i.resources.tags import views
from s2i.router.router import SLOTS

READY_SECONDS = 60.0  # a new revision must answer within
ENGINE_DEATHS = 3  # that many a new revision outlives
SETTLE_SECONDS = 10.0  # a revision that ends within this after it took over gives way to the one before it
DRAIN_SECONDS = 30.0  # an instance is stopped after this, whatever requests it still holds
PARK_SECONDS = 3600.0  # so long an app that sleeps can be woken quickly: its network costs some memory

Shares = Mapping[str, int]


def app(app: App, fleets: Mapping[int, Fleet], seen: Seen, now: float) -> list[Action]:
    """Return what has to be done for ``app``, of whose revisions ``fleets`` are to run."""
    shares = seen.shares.get((app.project, app.name), {})
    new = fleets.get(app.target) if app.target != app.serving and app.target not in app.percents else None
    actions: list[Action] = []
    if verdict := _verdict(app, fleets.get(app.serving), fleets.get(app.fallback), now):
        return [verdict]
    if new:
        if (shares and set(shares) <= set(new.addresses)) or (app.stopped and _has_come(new)):
            return [MarkServing(app.project, app.name, app.target)]
        actions += _roll_out(new, now)
        if _has_come(new) and not any(isinstance(one, MarkFailed) for one in actions):
            if app.traffic or new.revision.quiet:
                actions.append(MarkReady(app.project, app.name, app.target))
            else:
                return [*actions, _pointed(app, split({app.target: 100}, {app.target: new.addresses}))]
    kept = {number: fleet for number, fleet in fleets.items() if number in app.percents}
    actions += _route(app, kept, new, shares, seen)
    return actions + _kept(app, fleets, kept, seen, now)


def _kept(app: App, fleets: Mapping[int, Fleet], kept: Mapping[int, Fleet], seen: Seen, now: float) -> list[Action]:
    """Keep what gets requests running, by the app's own address or by those of its tags."""
    actions: list[Action] = []
    pointed = set(seen.shares.get((app.project, app.name), {}))
    tagged = {}
    for view in views(app):
        shares = seen.shares.get((view.project, view.name), {})
        pointed |= set(shares)
        if fleet := fleets.get(view.serving):
            tagged[view.serving] = fleet
            actions += _route(view, {view.serving: fleet}, None, shares, seen)
    # Of a revision that is to take over, its roll-out has the word.
    coming = app.target if app.target != app.serving else 0
    spare = {app.fallback: fleets[app.fallback]} if app.fallback in fleets else {}
    for number, fleet in {**spare, **tagged, **kept}.items():
        if number != coming or number in kept:
            actions += _keep(fleet, pointed, now)
    return actions


def split(percents: Mapping[int, int], ready: Mapping[int, Sequence[str]]) -> dict[str, int]:
    """Return the slots of each address: the percent of its revision, evenly among that one's ready addresses.

    What a revision without a ready address would get goes to the others. Largest remainders first; a revision with a
    percent has a slot at least.
    """
    takes = {number: percent for number, percent in percents.items() if percent and ready.get(number)}
    whole = sum(takes.values())
    exact = {number: SLOTS * percent / whole for number, percent in takes.items()}
    given = {number: max(int(part), 1) for number, part in exact.items()}
    for number in sorted(exact, key=lambda one: given[one] - exact[one]):
        if sum(given.values()) < SLOTS:
            given[number] += 1
    while sum(given.values()) > SLOTS:  # of small parts that got a slot each
        given[max(given, key=lambda one: given[one] - exact[one])] -= 1
    found: dict[str, int] = {}
    for number, slots in given.items():
        addresses = sorted(ready[number])
        each, more = divmod(slots, len(addresses))
        found |= {address: each + (index < more) for index, address in enumerate(addresses)}
    return {address: slots for address, slots in found.items() if slots}


def is_quiet(sandbox: Observed | None, instance: Observed | None, note: Note, shares: set[str], now: float) -> bool:
    """Say whether an instance can be ended: no request goes to it, and none is under way, or for too long."""
    address = sandbox.address if sandbox else ""
    if address and instance and instance.state == "running":
        if address in shares or note.unpointed is None:
            return False
        return note.quiet >= 2 or now - note.unpointed >= DRAIN_SECONDS
    return True


def _verdict(app: App, serving: Fleet | None, fallback: Fleet | None, now: float) -> MarkFailed | MarkSettled | None:
    """Return what has become of a revision that took over lately, once that is known (FAULTS F09).

    Requests go back to the one before it only where that can take them: it sleeps, or some of it is ready.
    """
    if not app.fallback:
        return None
    places = serving.places if serving else ()
    usable = fallback is not None and (not fallback.places or bool(fallback.addresses))
    for place in places if usable else ():
        if place.instance and place.instance.state == "exited" and place.address:
            cause = Exited(place.instance.exit, place.instance.oom, served=True)
            return MarkFailed(place.work.owner, place.instance.id, place.work.config.port, cause)
    since = [place.note.pointed for place in places if place.note.pointed is not None]
    if not places or (since and now - min(since) >= SETTLE_SECONDS):
        return MarkSettled(app.project, app.name)
    return None


def _has_come(new: Fleet) -> bool:
    return bool(new.places) and not new.revision.held and all(place.ready for place in new.places)


def _roll_out(new: Fleet, now: float) -> list[Action]:
    """Bring a new revision up, or say why it will not come; of one that is held its proof has the word."""
    actions: list[Action] = []
    for place in new.places:
        cause = _failure(place, now)
        if cause is None:
            actions += _start(place)
        elif not new.revision.held:
            container = place.instance.id if place.instance else ""
            return [MarkFailed(place.work.owner, container, place.work.config.port, cause)]
    return actions


def _failure(place: Place, now: float) -> Exited | NeverReady | NotStarted | None:
    """Return why an instance will not come; one whose sandbox has ended too did not end by itself: the engine did."""
    if place.note.error:
        return NotStarted(place.note.error)
    exited = place.instance is not None and place.instance.state == "exited"
    if place.instance and exited and (place.address or place.note.crashes > ENGINE_DEATHS):
        return Exited(place.instance.exit, place.instance.oom)
    probe = place.work.config.probe_ready
    limit = READY_SECONDS + (probe.initial_delay if probe else 0)
    if place.note.alive is not None and not place.answers and now - place.note.alive >= limit:
        return NeverReady(limit, place.saw if probe else "")
    return None


def _route(app: App, kept: Mapping[int, Fleet], new: Fleet | None, shares: Shares, seen: Seen) -> list[Action]:
    """Send the requests to the instances that can take them, as soon as each revision that is to get some has one."""
    ready = {number: fleet.addresses for number, fleet in kept.items()}
    if not any(fleet.places for fleet in kept.values()):
        stays = new is not None and set(shares) <= set(new.addresses)
        return [] if not shares or stays else [_pointed(app, {})]
    ours = {place.address for fleet in kept.values() for place in fleet.places}
    leaves = any(address not in ours for address in shares)
    complete = all(ready[number] for number in kept if app.percents[number])
    if any(ready.values()) and (complete or not leaves):
        wanted = split(app.percents, ready)
        return [] if wanted == shares else [_pointed(app, wanted)]
    # FAULTS F19: the address that we had can be somebody else's now.
    others = {one.address for one in seen.containers if one.address and slot(one.owner)[:2] != (app.project, app.name)}
    return [_pointed(app, {})] if others & set(shares) else []


def _keep(fleet: Fleet, shares: set[str], now: float) -> list[Action]:
    """Keep the instances of a revision running (FAULTS F10), or its first slot ready to be woken."""
    actions: list[Action] = []
    for place in fleet.places:
        if place.dead and place.alive and place.instance:
            actions.append(EndInstance(place.work.owner, place.instance.id, place.dead))
        elif now >= place.note.retry_at:
            actions += _start(place)
    if fleet.asleep is not None:
        actions += _sleep(fleet.asleep, shares, now)
    return actions


def _sleep(place: Place, shares: set[str], now: float) -> list[Action]:
    if place.instance is None and place.sandbox is None:
        return []
    if not is_quiet(place.sandbox, place.instance, place.note, shares, now):
        return []
    rested = place.note.unpointed is not None and now - place.note.unpointed >= PARK_SECONDS
    if rested or not place.address:
        return [StopInstance(place.work.owner)]
    parked = place.instance is not None and place.instance.state == "created"
    return [] if parked else [Park(place.work)]


def _start(place: Place) -> list[Action]:
    return [] if place.alive else [StartInstance(place.work)]


def _pointed(app: App, shares: Shares) -> PointRoute:
    return PointRoute(app.project, app.name, tuple(sorted(shares.items())))
