"""The instances that an app is to have, and how they are. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from s2i.control.watch import Note, Seen, Slot, group, slot
from s2i.engines.engine import Observed, Owner, Workload
from s2i.resources.app import App, Revision
from s2i.resources.tags import app_of, views

Slots = dict[Slot, tuple[Observed | None, Observed | None]]
Name = tuple[str, str]  # project, app
Key = tuple[str, str, int]  # project, app, number of the revision


class Wanted(msgspec.Struct, frozen=True):
    """What the store asks for: the apps, and the revisions that each serves or is to serve.

    ``coming``: the instances of the revisions that are being built, under the numbers that they will have. ``counts``:
    how many instances of each revision the autoscaler wants; ``awake``: the apps for which a request waits. ``closed``:
    the projects whose containers reach nothing beyond their network.
    """

    apps: tuple[App, ...] = ()
    revisions: tuple[Revision, ...] = ()
    coming: tuple[Workload, ...] = ()
    counts: Mapping[Key, int] = {}
    awake: frozenset[Name] = frozenset()
    closed: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """One slot as it is: ``address`` of a running sandbox, the instance, what is remembered."""

    work: Workload
    address: str
    sandbox: Observed | None
    instance: Observed | None
    note: Note
    answers: bool
    saw: str = ""  # what the last probe saw of one that does not answer
    dead: str = ""  # and of one that no longer works

    @property
    def alive(self) -> bool:
        """Whether the instance runs in a running sandbox."""
        return bool(self.address) and self.instance is not None and self.instance.state == "running"

    @property
    def ready(self) -> bool:
        """Whether it can take requests."""
        return self.alive and self.answers


class Fleet(msgspec.Struct, frozen=True):
    """The instances that one revision is to have. ``asleep``: its first slot, when it is to have none for now."""

    revision: Revision
    places: tuple[Place, ...]
    asleep: Place | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that can take requests."""
        return tuple(place.address for place in self.places if place.ready)

    @property
    def slots(self) -> tuple[Slot, ...]:
        """What belongs to it."""
        return tuple(slot(place.work.owner) for place in (*self.places, *filter(None, (self.asleep,))))


def instance_of(revision: Revision, index: int = 0) -> Workload:
    """Return one instance of ``revision``."""
    name = f"r{revision.number}-{index}"
    owner = Owner(revision.project, "app", revision.app, number=revision.number, instance=name)
    return Workload(owner, revision.image, revision.config)


def successor_of(revision: Revision) -> Workload:
    """Return the first instance of what comes after ``revision``: where it will run is known, which image is not."""
    return instance_of(msgspec.structs.replace(revision, number=revision.number + 1))


def fleets(wanted: Wanted, seen: Seen, notes: Mapping[Slot, Note]) -> dict[Name, dict[int, Fleet]]:
    """Return the fleets of each app, by the numbers of their revisions."""
    slots = group(seen.containers)
    of_app: dict[Name, Slots] = {}
    for key, both in slots.items():
        of_app.setdefault(key[:2], {})[key] = both
    revisions: dict[Name, list[Revision]] = {}
    for revision in wanted.revisions:
        revisions.setdefault((revision.project, revision.app), []).append(revision)
    found = {}
    for app in wanted.apps:
        name = (app.project, app.name)
        sizes = sizes_of(app, wanted.counts, name in wanted.awake, seen, of_app.get(name, {}))
        for view in views(app):
            count = wanted.counts.get((app.project, view.name, view.serving))
            size = _tagged(view, count, (app.project, view.name) in wanted.awake, of_app.get(name, {}))
            sizes[view.serving] = max(sizes.get(view.serving, 0), size)
        found[name] = _fleets(app, revisions.get(name, ()), sizes, seen, of_app.get(name, {}), notes)
    return found


def _fleets(
    app: App,
    revisions: Sequence[Revision],
    sizes: Mapping[int, int],
    seen: Seen,
    slots: Slots,
    notes: Mapping[Slot, Note],
) -> dict[int, Fleet]:
    found: dict[int, Fleet] = {}
    for revision in revisions:
        number = revision.number
        if number not in sizes:
            continue
        places = tuple(_place(instance_of(revision, index), seen, slots, notes) for index in range(sizes[number]))
        asleep = None if places or app.stopped else _place(instance_of(revision), seen, slots, notes)
        found[number] = Fleet(revision, places, asleep)
    return found


def sizes_of(app: App, counts: Mapping[Key, int], awake: bool, seen: Seen, slots: Slots) -> dict[int, int]:
    """Return how many instances each revision is to have: those that get requests, are to, or may again."""
    if app.deleting:
        return {}
    if app.stopped:  # a revision that was on its way still comes, to be known as good
        return {number: int(number == app.target != app.serving) for number in {*app.percents, app.target}}
    has = {number: _existing(app, number, slots) for number in {*app.percents, app.target}}
    sizes = {
        number: min(max(counts.get((app.project, app.name, number), has[number]), app.scale.min), app.scale.max)
        for number in app.percents
    }
    shares = seen.shares.get((app.project, app.name), {})
    serve = [one for one, _ in slots.values() if one and _serves(one, app, shares)]
    # A revision that takes over requests begins with as many instances as there were; no part of a split sleeps alone.
    leaves = any(one.owner.number not in sizes for one in serve)
    if awake or leaves or any(sizes.values()):
        least = {
            number: math.ceil(len(serve) * percent / 100) if leaves else 0 for number, percent in app.percents.items()
        }
        sizes = {number: min(max(size, least[number], 1), max(app.scale.max, 1)) for number, size in sizes.items()}
    if app.target != app.serving and app.target not in sizes:
        sizes[app.target] = min(max(len(serve), app.scale.min, 1), max(app.scale.max, 1))
    if app.fallback and app.fallback not in sizes:
        sizes[app.fallback] = _existing(app, app.fallback, slots)
    return sizes


def _tagged(view: App, count: int | None, awake: bool, slots: Slots) -> int:
    """Return how many instances a tagged revision is to have for those who ask by its tag."""
    if view.stopped:
        return 0
    has = _existing(view, view.serving, slots)
    return min(max(has if count is None else count, int(awake)), max(view.scale.max, 1))


def _serves(sandbox: Observed, app: App, shares: Mapping[str, int]) -> bool:
    """Say whether requests of the app go to what has this sandbox."""
    return (sandbox.owner.project, sandbox.owner.name) == (app.project, app.name) and sandbox.address in shares


def _existing(app: App, number: int, slots: Slots) -> int:
    """Return how many instances of a revision there are that were meant to run."""
    wanted = (app.project, app_of(app.name), number)
    return sum(
        1
        for _, instance in slots.values()
        if instance
        and (instance.owner.project, instance.owner.name, instance.owner.number) == wanted
        and instance.state != "created"
    )


def _place(work: Workload, seen: Seen, slots: Slots, notes: Mapping[Slot, Note]) -> Place:
    key = slot(work.owner)
    sandbox, instance = slots.get(key, (None, None))
    container = instance.id if instance else ""
    return Place(
        work,
        sandbox.address if sandbox else "",
        sandbox,
        instance,
        notes.get(key, Note()),
        answers=container in seen.ready,
        saw=seen.saw.get(container, ""),
        dead=seen.dead.get(container, ""),
    )
