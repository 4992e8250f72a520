"""A world in memory for the reconcile step: fake engine, fake router, a real store, a clock that tests turn."""

from __future__ import annotations

import queue
from pathlib import Path

import msgspec

from s2i.control import tasks, veil
from s2i.control.actions import Action, LookAtTask, Park, StartInstance, StopInstance, lane
from s2i.control.execute import execute
from s2i.control.fleet import Key, Name, Wanted
from s2i.control.loop import batch_of, wanted_of
from s2i.control.reconcile import reconcile
from s2i.control.rollout import DRAIN_SECONDS
from s2i.control.store import Store
from s2i.control.vault import Vault
from s2i.control.waker import WAIT_SECONDS, Waker
from s2i.control.watch import Note, Seen, Slot, failed_start, group, remember, slot
from s2i.control.world import World, engine_down
from s2i.engines.engine import Owner
from s2i.errors import S2IError
from s2i.resources.app import Config, Deployment, Revision
from s2i.resources.job import Execution, Job, JobRun
from tests.engines.fake import FakeEngine
from tests.router.fake import FakeRouter

IMAGE = "sha256:app"
MISSING = "sha256:missing"  # an image that somebody removed


def woken(waker: Waker, project: str, app: str, limit: float = WAIT_SECONDS) -> str | None:
    """Return what a request that waits is answered."""
    found: queue.Queue[str | None] = queue.Queue()
    waker.ask(project, app, "", found.put, limit)
    return found.get(timeout=30)


class Killed(Exception):
    """The server was killed between two actions."""


class Simulation:
    """One server's world. Every action that is carried out is checked against what must always hold."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.store = Store(folder / "s2i.db")
        self.engine = FakeEngine((IMAGE,), lambda: self.now, veil.keeper(Vault(self.store)))
        self.router = FakeRouter()
        self.world = World(self.engine, self.router, self.store, lambda: self.now)
        self.notes: dict[Slot, Note] = {}
        self.since: tasks.Since = {}
        self.looked: frozenset[str] = frozenset()
        self.done: list[Action] = []
        self.counts: dict[Key, int] = {}  # what the autoscaler wants
        self.awake: set[Name] = set()  # apps for which a request waits
        self.dead: dict[str, str] = {}  # what the liveness probe saw, by container
        self._ids = 0

    def begin(self, name: str = "shop") -> str:
        """Begin a deployment, whose image is not there yet; return its id."""
        self._ids += 1
        ident = f"d{self._ids}"
        self.store.open_deployment(Deployment(ident, "default", name, "src", "building", self.now))
        return ident

    def deploy(
        self, name: str = "shop", image: str = IMAGE, ident: str = "", *, quiet: bool = False, tag: str = ""
    ) -> Revision:
        """Deploy as a whole, or end the deployment ``ident`` that was begun."""
        ident = ident or self.begin(name)
        self._build(image)
        made = self.store.accept_revision(Revision("default", name, 0, image, Config(), quiet=quiet, tag=tag), ident)
        self.store.change_deployment(ident, status="ready")
        return made

    def submit(self, name: str = "report", image: str = IMAGE, project: str = "default", **execution: object) -> JobRun:
        """Make a job and submit a run of it; one that fails is not tried again, unless ``execution`` says so."""
        self._build(image)
        goes = Execution(**{"retry_limit": 0, **execution})  # type: ignore[arg-type]
        made = self.store.accept_job(Job(project, name, image, Config(), execution=goes), "", self.now, goes)
        assert made
        return made

    def owner(self, run: JobRun, index: int = 0, tries: int = 0) -> Owner:
        """Return whose the container of an attempt is."""
        return Owner(run.project, "job", run.job, run=run.name, instance=f"{index}-{tries}")

    def _build(self, image: str) -> None:
        if image != MISSING:
            self.engine.images.add(image)

    def step(self, kill_after: int | None = None) -> tuple[Action, ...]:
        """One pass; with ``kill_after`` the server dies after so many actions: what it remembered is lost."""
        wanted, seen = self._wanted(), self._seen()
        series = {(one.project, one.app, f"r{one.number}") for one in wanted.revisions}
        self.notes = remember(self.notes, seen, series, self.now)
        batch = batch_of(self.store)
        self.since = tasks.remember(self.since, batch, seen.containers, self.now, self.now)
        of_tasks = tasks.act(batch, seen.containers, self.since, self.looked, self.engine.has, self.now)
        self.looked |= {one.container for one in of_tasks if isinstance(one, LookAtTask)}
        actions = (*reconcile(wanted, seen, self.notes, self.now), *of_tasks)
        assert all(lane(action) for action in actions)
        for number, action in enumerate(actions):
            if kill_after is not None and number >= kill_after:
                self.notes, self.since, self.looked = {}, {}, frozenset()
                return actions[:number]
            self._do(action)
        return actions

    def settle(self, limit: int = 400) -> None:
        """Pass until nothing is left to do for longer than any delay."""
        calm = 0
        for _ in range(limit):
            calm = 0 if self.step() else calm + 1
            self.now += 5.0
            if calm > 70:
                return
        raise AssertionError(f"it never settles: {self.done[-5:]}")

    def addresses(self, name: str = "shop") -> set[str]:
        """Return the addresses of the app's instances that run in a live sandbox."""
        found = set()
        for key, (sandbox, instance) in group(self.engine.observe()).items():
            if key[1] == name and sandbox and instance and sandbox.address and instance.state == "running":
                found.add(sandbox.address)
        return found

    def _do(self, action: Action) -> None:
        if isinstance(action, StopInstance):
            self._check_stop(action.owner)
        if isinstance(action, Park):
            self._check_stop(action.work.owner)
        self.done.append(action)
        try:
            execute(action, self.world)
        except S2IError as error:
            if engine_down(error) or not isinstance(action, StartInstance):
                return
            key = slot(action.work.owner)
            self.notes[key] = failed_start(self.notes.get(key, Note()), str(error), self.now)

    def _check_stop(self, owner: Owner) -> None:
        sandbox, instance = group(self.engine.observe())[slot(owner)]
        if not (sandbox and sandbox.address and instance and instance.state == "running"):
            return
        pointed = {address for shares in self.router.slots.values() for address in shares}
        assert sandbox.address not in pointed, f"{owner} is ended while requests go to it"
        since = self.notes[slot(owner)].unpointed
        assert since is not None
        late = self.now - since >= DRAIN_SECONDS
        assert late or not self.router.busy.get(sandbox.address), f"{owner} is ended cuts requests off"

    def _wanted(self) -> Wanted:
        return msgspec.structs.replace(wanted_of(self.store), counts=self.counts, awake=frozenset(self.awake))

    def _seen(self) -> Seen:
        containers = self.engine.observe()
        names = {(app.project, app.name) for app in self.store.apps()} | set(self.router.routes())
        shares = {name: self.router.pointed(*name) for name in names}
        ready = {
            instance.id
            for sandbox, instance in group(containers).values()
            if sandbox and instance and sandbox.address and self.engine.answers(sandbox.address)
        }
        return Seen(containers, shares, self.router.in_flight(), frozenset(ready), self.router.routes(), dead=self.dead)
