"""The loop: look, decide, act; again at once when something changed, else a little later."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import msgspec

from s2i.control import quota, tasks
from s2i.control.actions import (
    Action,
    Lane,
    LookAtTask,
    MarkFailed,
    MarkRunning,
    Park,
    RemoveContainer,
    StartInstance,
    TellWait,
    lane,
)
from s2i.control.beat import in_thread
from s2i.control.execute import execute
from s2i.control.fleet import Key, Name, Wanted, fleets, successor_of
from s2i.control.happenings import crashes, tell
from s2i.control.probe import Prober, Watched
from s2i.control.reconcile import act
from s2i.control.store import Store
from s2i.control.waker import Target
from s2i.control.watch import Note, Seen, Slot, failed_start, group, remember, slot
from s2i.control.world import World, engine_down
from s2i.engines.engine import Capacity, Observed, Workload
from s2i.errors import S2IError
from s2i.resources.app import App, Config
from s2i.resources.names import TAGGED
from s2i.resources.tags import app_of, views

IDLE_SECONDS = 0.7  # while the engine does not say by itself when something happens
TOLD_SECONDS = 5.0  # while it does
RUNS_SECONDS = 0.2  # while a job runs and the engine does not say: its end is seen by looking
ECHO_SECONDS = 0.1
DUE_SECONDS = 0.02
ROLLOUT_SECONDS = 0.1  # while a revision comes up: its exit is seen by looking, its first answer is told
DRAIN_SECONDS = 0.02
LOOK_PAUSE = 0.002
FAULT_SECONDS = (0.5, 1.0, 2.0, 5.0)  # after so many failures in a row

SILENT = (MarkRunning, LookAtTask, TellWait, RemoveContainer)  # nothing follows from these
NOTHING = Capacity(0.0, 0)

log = logging.getLogger("s2i")


class _Held(msgspec.Struct, frozen=True):
    """A lane whose last action failed: how often in a row, and until when it rests."""

    failures: int
    until: float


class Loop:
    """Bring what runs to what is wanted, for ever. One thread looks and decides; each lane acts in its own."""

    def __init__(
        self,
        world: World,
        *,
        clock: Callable[[], float] = time.monotonic,
        spawn: Callable[[Callable[[], None]], None] | None = None,
        probe: Callable[[str], bool] | None = None,
        counts: Callable[[], Mapping[Key, int]] = dict,
        awake: Callable[[], Collection[Name]] = tuple,
    ) -> None:
        """``clock`` is monotonic; ``spawn`` runs a lane's actions (default: a thread); ``probe`` asks an address.

        ``counts``, ``awake``: see Wanted.
        """
        self.engine_error: S2IError | None = None
        self.returned: Callable[[float], None] = lambda gone: None  # told when the engine is back, and since when not
        self._world = world
        self._clock = clock
        self._spawn = spawn or in_thread
        self._counts, self._awake = counts, awake
        self._prober = Prober(self.kick, probe)
        self._kicked = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._busy: set[Lane] = set()
        self._ending: set[Slot] = set()
        self._held: dict[Lane, _Held] = {}
        self._notes: dict[Slot, Note] = {}
        self._refused: queue.SimpleQueue[tuple[Slot, str]] = queue.SimpleQueue()
        self._begun = self._done = 0  # looks, counted
        self.targets: Mapping[Name, Target] = {}  # of the last look
        self.containers: tuple[Observed, ...] = ()  # of the last look
        self._read: tuple[object, Wanted, tasks.Batch] | None = None  # what the store asked for, and its state then
        self._since: tasks.Since = {}
        self._looked: frozenset[str] = frozenset()  # containers of tasks, for whether they serve
        self.waits: Mapping[tasks.Run, str] = {}  # for what runs wait whose tasks could begin otherwise
        self._capacity: Capacity | None = None
        self.exposed = ""  # why containers cannot be kept from this machine
        self._faults, self._gone = 0, 0.0
        self._introduced: frozenset[str] = frozenset()  # projects whose containers know apps by name
        self._told = False  # the engine says when something happens
        self._echo = False  # it has just said so, sometimes before its own list shows it
        self._thread = threading.Thread(target=self._run, name="loop", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        threading.Thread(target=self._listen, name="events", daemon=True).start()

    def stop(self, timeout: float = 15.0) -> None:
        """Begin nothing new, and wait for what is being done."""
        self._ended.set()
        self.kick()
        if self._thread.is_alive():
            self._thread.join(timeout)
        until = time.monotonic() + timeout
        while self._busy and time.monotonic() < until:
            time.sleep(0.02)

    def kick(self) -> None:
        """Look again now."""
        self._kicked.set()

    def look(self) -> None:
        """Return when everything has been looked at once more, from now on."""
        look = self._begun + 1
        self.kick()
        while self._done < look and not self._ended.is_set():
            time.sleep(LOOK_PAUSE)

    def start_now(self, work: Workload) -> None:
        """Start an instance, unless something is being done with it already."""
        action = StartInstance(work)
        key = lane(action)
        with self._lock:
            if key in self._busy or self._ended.is_set():
                return
            self._busy.add(key)
        self._spawn(lambda: self._act(key, [action]))

    def step(self) -> float:
        """Look, decide, act once; return the seconds until the next look is due."""
        self._begun += 1
        echo, self._echo = self._echo, False
        with self._lock:
            busy = frozenset(self._busy)
        try:
            self._world.router.ensure()
        except Exception:
            log.exception("the router does not run")
        try:
            containers = self._world.engine.observe()
        except S2IError as error:
            return self._blind(error)
        if self._faults:
            self._spawn(lambda: self.returned(self._gone))
        self.engine_error, self._faults = None, 0
        self.containers = containers
        # Wanted is read after the look: a container that is seen was wanted before it was made.
        wanted, batch = self._wanted()
        if containers or wanted.apps or wanted.coming or batch.runs:  # who runs nothing leaves no rules behind
            self._shield(wanted.closed)
            self._introduce()
        seen = self._look(containers, wanted)
        now = self._clock()
        while not self._refused.empty():
            key, why = self._refused.get()
            self._notes[key] = failed_start(self._notes.get(key, Note()), why, now)
        series = {(one.project, one.app, f"r{one.number}") for one in wanted.revisions}
        acted = {(one[1], one[2], one[3]) for one in busy if one[0] == "slot"}
        before = self._notes
        self._notes = remember(before, seen, series, now, acted)
        found = fleets(wanted, seen, self._notes)
        for crash in crashes(wanted.apps, found, before, now, self._world.now()):
            tell(self._world.store, crash)
        decided = [*act(wanted, found, seen, self._notes, now), *self._tasks(batch, containers, now)]
        for held, actions in _by_lane(decided):
            ready = [action for action in actions if not _is_early(action, busy)]
            if ready and held not in busy and self._rested(held, now):
                self._begin(held, ready)
        self.targets = {
            (one.project, one.name): Target(one, found[app.project, app.name])
            for app in wanted.apps
            for one in (app, *views(app))
        }
        self._done = self._begun
        due = tasks.next_due(batch, self._since, now)
        pause = _pause(wanted, seen, TOLD_SECONDS if self._told else RUNS_SECONDS if batch.runs else IDLE_SECONDS)
        pause = min(pause, ECHO_SECONDS) if echo and batch.runs else pause
        return pause if due is None else min(pause, max(due, DUE_SECONDS))

    def _shield(self, closed: tuple[str, ...]) -> None:
        why = self._world.engine.shield(self._world.router.open_ports, closed, self._world.router.door)
        if why != self.exposed:
            if why:
                log.warning("containers can reach services of this machine: %s", why)
            self.exposed = why

    def _introduce(self) -> None:
        """Let the containers of each project know the apps that they can ask for by name."""
        names: dict[str, list[str]] = {project: [] for project in self._introduced}
        for route in self._world.router.routes().values():
            if route.routing.visibility != "private":
                names.setdefault(route.project, []).append(route.app)
        self._introduced = frozenset(project for project, apps in names.items() if apps)
        for project, apps in names.items():
            try:
                self._world.engine.introduce(project, sorted(apps))
            except S2IError as error:
                log.warning("the containers of %s do not know all of its apps: %s", project, error)

    def _tasks(self, batch: tasks.Batch, containers: tuple[Observed, ...], now: float) -> list[Action]:
        """Return what has to be done with the tasks of job runs."""
        if batch.runs and self._capacity is None:
            self._capacity = self._world.engine.capacity()
        self._since = tasks.remember(self._since, batch, containers, now, self._world.now())
        actions = tasks.act(batch, containers, self._since, self._looked, self._capacity or NOTHING, now)
        told, self.waits = self.waits, {(one.project, one.run): one.why for one in actions if isinstance(one, TellWait)}
        actions = [
            one for one in actions if not (isinstance(one, TellWait) and told.get((one.project, one.run)) == one.why)
        ]
        looked = {one.container for one in actions if isinstance(one, LookAtTask)}
        self._looked = frozenset(one.id for one in containers if one.id in self._looked or one.id in looked)
        return actions

    def _listen(self) -> None:
        """Look whenever the engine says that something has happened to a container."""
        while not self._ended.is_set():
            try:
                for _ in self._world.engine.changes():
                    self._told = self._echo = True
                    self.kick()
            except S2IError as error:
                log.info("the engine tells nothing any more: %s", error)
            self._told = False
            self._ended.wait(FAULT_SECONDS[-2])

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                pause = self.step()
            except Exception:
                log.exception("the loop stumbled")
                pause = 1.0
            self._kicked.wait(pause)
            self._kicked.clear()

    def _blind(self, error: S2IError) -> float:
        if self.engine_error is None:
            log.warning("the engine does not answer: %s", error)
            self._gone = self._world.now()
        self.engine_error = error
        self._faults += 1
        return FAULT_SECONDS[min(self._faults, len(FAULT_SECONDS)) - 1]

    def _wanted(self) -> tuple[Wanted, tasks.Batch]:
        state = self._world.store.state()
        if self._read is None or self._read[0] != state:
            self._read = (state, wanted_of(self._world.store), batch_of(self._world.store))
        _, wanted, batch = self._read
        return msgspec.structs.replace(wanted, counts=self._counts(), awake=frozenset(self._awake())), batch

    def _look(self, containers: tuple[Observed, ...], wanted: Wanted) -> Seen:
        router = self._world.router
        names = [(one.project, one.name) for app in wanted.apps for one in (app, *views(app))]
        names += [name for name in router.routes() if TAGGED in name[1]]  # of tags that are no more, too
        shares = {name: router.pointed(*name) for name in names}
        seen = Seen(containers, shares, routes=router.routes())
        slots = group(seen.containers).values()
        configs = {(one.project, one.app, one.number): one.config for one in wanted.revisions}
        running = {
            i.id: _watched(s.address, configs.get((i.owner.project, i.owner.name, i.owner.number)))
            for s, i in slots
            if s and s.address and i and i.state == "running"
        }
        pointed = {address for each in shares.values() for address in each}
        draining = {one.address for one in running.values()} - pointed
        in_flight = None
        if draining:
            try:
                in_flight = router.in_flight()
            except Exception:
                log.warning("the router does not say what is under way", exc_info=True)
        health = self._prober.look(running)
        return msgspec.structs.replace(seen, in_flight=in_flight, ready=health.ready, saw=health.saw, dead=health.dead)

    def _rested(self, key: Lane, now: float) -> bool:
        held = self._held.get(key)
        return held is None or now >= held.until

    def is_busy(self, key: Lane) -> bool:
        """Say whether something is being done in a lane."""
        return key in self._busy

    def is_ending(self, one: Slot) -> bool:
        """Say whether the instance of a slot is being ended: it may take connections still, and answer none."""
        return one in self._ending

    def _begin(self, key: Lane, actions: list[Action]) -> None:
        with self._lock:
            if key in self._busy:  # a request that waits has begun to start it meanwhile
                return
            self._busy.add(key)
        for action in actions:
            if isinstance(action, Park):
                self._ending.add(slot(action.work.owner))
                # In this order, and a request that comes looks the other way round: one of the two sees the other.
                awake = {(project, app_of(name)) for project, name in self._awake()}
                if (action.work.owner.project, action.work.owner.name) in awake:
                    self._let_go(key)
                    return
        self._spawn(lambda: self._act(key, actions))

    def _let_go(self, key: Lane, *, look: bool = True) -> None:
        with self._lock:
            self._busy.discard(key)
        if key[0] == "slot":
            self._ending.discard((key[1], key[2], key[3]))
        if look:
            self.kick()

    def _act(self, key: Lane, actions: list[Action]) -> None:
        try:
            for action in actions:
                if self._ended.is_set():
                    return
                self._one(action)
            self._held.pop(key, None)
        except Exception as error:
            failures = self._held[key].failures + 1 if key in self._held else 1
            rest = FAULT_SECONDS[min(failures, len(FAULT_SECONDS)) - 1]
            self._held[key] = _Held(failures, self._clock() + rest)
            if failures in (1, 10, 100):
                log.warning("%s failed (%d times): %s", key, failures, error, exc_info=not isinstance(error, S2IError))
        finally:
            self._let_go(key, look=not all(isinstance(action, SILENT) for action in actions))

    def _one(self, action: Action) -> None:
        log.info("%s %s", type(action).__name__, "/".join(filter(None, lane(action)[1:])))
        try:
            execute(action, self._world)
        except S2IError as error:
            if not isinstance(action, StartInstance) or engine_down(error):
                raise
            self._refused.put((slot(action.work.owner), str(error)))


def _is_early(action: Action, busy: Collection[Lane]) -> bool:
    """Say whether a failure is no verdict yet: the instance that has ended is just being started anew."""
    return isinstance(action, MarkFailed) and ("slot", *slot(action.owner)) in busy


def _watched(address: str, config: Config | None) -> Watched:
    return Watched(address, config.probe_ready, config.probe_live) if config else Watched(address)


def wanted_of(store: Store) -> Wanted:
    """Return all that the store asks for."""
    apps, every = store.apps(), store.revisions_by_app()
    revisions = []
    for app in apps:
        numbers = app.numbers
        revisions += [one for one in every.get((app.project, app.name), ()) if one.number in numbers]
    return Wanted(apps, tuple(revisions), tuple(_coming(store, apps)), closed=store.closed_projects())


def batch_of(store: Store) -> tasks.Batch:
    """Return the job runs that the store asks for."""
    runs = store.open_runs()
    return tasks.Batch(runs, store.open_tasks(), quota.rooms(store)) if runs else tasks.Batch()


def _coming(store: Store, apps: tuple[App, ...]) -> Iterator[Workload]:
    building = store.building()
    for app in apps:
        if (app.project, app.name) in building and not app.deleting and app.target == app.serving:
            yield successor_of(store.revisions(app.project, app.name)[-1])


def _by_lane(actions: Iterable[Action]) -> list[tuple[Lane, list[Action]]]:
    lanes: dict[Lane, list[Action]] = {}
    for action in actions:
        lanes.setdefault(lane(action), []).append(action)
    return list(lanes.items())


def _pause(wanted: Wanted, seen: Seen, idle: float) -> float:
    pointed = {address for shares in seen.shares.values() for address in shares}
    rolling = any(app.target != app.serving or app.deleting for app in wanted.apps)
    waits = {(app.project, app.name, app.fallback) for app in wanted.apps}
    for sandbox, instance in group(seen.containers).values():
        if sandbox and instance and instance.state == "running" and sandbox.address not in pointed and not rolling:
            owner = instance.owner
            if (owner.project, owner.name, owner.number) not in waits:
                return DRAIN_SECONDS
    if rolling:
        return ROLLOUT_SECONDS
    return idle
