"""From what is wanted and what is seen to what has to be done. Pure: no clock, no engine, no store."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from s2i.control import rollout
from s2i.control.actions import (
    Action,
    ForgetApp,
    PointRoute,
    RemoveRoute,
    SetRoute,
    StartSandbox,
    StopInstance,
)
from s2i.control.fleet import Fleet, Name, Wanted, fleets
from s2i.control.rollout import is_quiet
from s2i.control.watch import Note, Seen, Slot, group, slot
from s2i.engines.engine import Observed
from s2i.resources.app import App
from s2i.resources.names import TAGGED
from s2i.resources.tags import views
from s2i.router.router import route_of


def reconcile(wanted: Wanted, seen: Seen, notes: Mapping[Slot, Note], now: float) -> tuple[Action, ...]:
    """Return what has to be done now. ``now`` is monotonic, as the notes' times are."""
    return act(wanted, fleets(wanted, seen, notes), seen, notes, now)


def act(
    wanted: Wanted, found: Mapping[Name, Mapping[int, Fleet]], seen: Seen, notes: Mapping[Slot, Note], now: float
) -> tuple[Action, ...]:
    """Return what has to be done now for apps whose fleets are ``found``."""
    slots = group(seen.containers)
    actions: list[Action] = []
    claimed: set[Slot] = set()
    for app in wanted.apps:
        if app.deleting:
            actions += _deleted(app, seen, slots)
        else:
            mine = found[app.project, app.name]
            claimed.update(one for fleet in mine.values() for one in fleet.slots)
            actions += [*_routed(app, seen), *rollout.app(app, mine, seen, now)]
            actions += [action for view in views(app) for action in _routed(view, seen, new=True)]
    actions += _unwanted_routes(wanted, seen)
    for work in wanted.coming:
        claimed.add(slot(work.owner))
        sandbox, _ = slots.get(slot(work.owner), (None, None))
        if not (sandbox and sandbox.address):
            actions.append(StartSandbox(work))
    shares = {address for each in seen.shares.values() for address in each}
    for one, (sandbox, instance) in slots.items():
        if one not in claimed and is_quiet(sandbox, instance, notes.get(one, Note()), shares, now):
            owner = (instance or sandbox or _nobody()).owner
            actions.append(StopInstance(owner))
    return tuple(actions)


def _unwanted_routes(wanted: Wanted, seen: Seen) -> list[Action]:
    """Remove the routes of tags that are no more."""
    tagged = {(view.project, view.name) for app in wanted.apps for view in views(app)}
    return [RemoveRoute(*name) for name in seen.routes if TAGGED in name[1] and name not in tagged]


def _routed(app: App, seen: Seen, *, new: bool = False) -> list[Action]:
    """Have the route changed when it is set otherwise than the app.

    One that has none gets it when it is pointed, or at once with ``new``.
    """
    found = seen.routes.get((app.project, app.name))
    if found is None:
        return [SetRoute(app.project, app.name)] if new else []
    if msgspec.structs.replace(found, networks=()) == route_of(app):
        return []
    return [SetRoute(app.project, app.name)]


def _deleted(app: App, seen: Seen, slots: Mapping[Slot, tuple[Observed | None, Observed | None]]) -> list[Action]:
    """Close the route first; `reconcile` stops what runs; forget the app when nothing is left."""
    if seen.shares.get((app.project, app.name)):
        return [PointRoute(app.project, app.name, ())]
    if any(key[:2] == (app.project, app.name) for key in slots):
        return []
    return [ForgetApp(app.project, app.name)]


def _nobody() -> Observed:
    raise AssertionError("a slot has a sandbox, an instance, or both")
