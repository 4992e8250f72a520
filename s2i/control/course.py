"""One deployment, from its turn to its end: built, accepted, proven, released, rolled out."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Literal

import msgspec

from s2i.control import attempts, diagnosis, processes, quota, release, volumes
from s2i.control.journal import Journal
from s2i.control.loop import Loop
from s2i.control.store import Store
from s2i.control.store.jobs import run_of
from s2i.control.task import Build, Built, Request, Task
from s2i.control.turns import Turns
from s2i.control.vault import unpinned
from s2i.control.world import World
from s2i.crash import around
from s2i.errors import E_CANCELLED, E_IMAGE_GONE, E_IMAGE_PORTS, E_JOB_FAILED, E_NO_REVISION, E_SUPERSEDED, S2IError
from s2i.resources.app import App, Config, Deployment, Event, Revision
from s2i.resources.change import config_after
from s2i.resources.execution import checked_execution, checked_keep, merged
from s2i.resources.job import OPEN_TASK, Execution, Job, Keep

POLL_SECONDS = 0.01
TURN_SECONDS = 0.1


class Stopped(Exception):
    """The server ends: who waits for a roll-out leaves it to the next one."""


class Before(msgspec.Struct, frozen=True):
    """What a deployment starts from: what serves, or else what came last. ``number`` of the revision; 0: none."""

    config: Config = Config()
    number: int = 0
    image: str = ""
    source: str = ""
    commit: str = ""
    own_port: bool = False
    release: tuple[str, ...] = ()
    processes: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Course:
    """The course of one deployment. Every method raises Stopped when the server ends.

    ``one``: its record, as far as the course knows. ``cancelled``: set by who wants it to end before it is admitted.
    """

    def __init__(self, world: World, loop: Loop, one: Deployment, stopped: threading.Event, turns: Turns) -> None:
        self.one = one
        self.cancelled = threading.Event()
        self._turns = turns
        self._world, self._store, self._loop, self._stopped = world, world.store, loop, stopped
        self._journal = Journal(one.id)

    def run(self, request: Request, build: Build, labels: dict[str, str], *, network: bool) -> None:
        """Do the whole of it. Raises whatever stands in the way."""
        self._await_turn()
        before = before_of(self._store, self.one.project, self.one.name)
        config = config_after(request.change, before.config)
        config = self._world.vault.pinned(self.one.project, config, newest=True, force=request.force)
        volumes.checked(self._store, self.one.project, config)
        asked = Asked(request, before, config)
        built = self._built(asked, build, labels, network=network)
        if self.cancelled.is_set():
            raise E_CANCELLED(doing="it was being built")
        if request.unless_same and self._is_same(asked, built):
            self._leave(request)
            return
        with around("accept"):
            self._accept(asked, built)
        self._loop.kick()
        if built.kind == "app":
            self._admit(asked, built)
            self._loop.kick()
        self.wait()

    def wait(self) -> None:
        """Wait until what is accepted serves, or has run. Raises E_ROLLOUT, E_JOB_FAILED."""
        one = self.one
        status = {"type": "status", "status": "rolling-out"}
        self._journal.write({**status, "kind": one.kind, "revision": one.revision, "jobrun": one.result})
        if one.kind == "job":
            self._end(self._wait_for_run() if one.result else {"job": one.name}, one.result)
        else:
            self._wait_for_revision()
            self._follow()
            self._serves()

    # Turn and build

    def _await_turn(self) -> None:
        """Wait while another deployment of the same name is under way; one that comes later takes this one's place."""
        said = ""
        while self.one.status == "queued":
            holder = self._store.take_turn(self.one.id)
            self.one = self._store.deployment(self.one.project, self.one.id)
            if holder is None:
                continue
            text = f"wait for the deployment of {holder.source}, which is {holder.status}"
            if text != said:
                self._stage("queue", said := text)
            if self.cancelled.wait(TURN_SECONDS):
                raise E_CANCELLED(doing="it waited for its turn")
        if self.one.status == "superseded":
            raise E_SUPERSEDED(name=self.one.name)

    def _built(self, asked: Asked, build: Build, labels: dict[str, str], *, network: bool) -> Built:
        one, request, before = self.one, asked.request, asked.before
        if request.source is not None:
            task = Task(
                id=one.id,
                project=one.project,
                request=request,
                source=request.source,
                place=one.source,
                network=network,
                labels=labels,
                emit=self._journal.write,
                cancelled=self.cancelled,
                config=self._opened(asked.config),
                planned=functools.partial(self._planned, asked),
            )
            with self._room():
                return build(task)
        kind: Literal["app", "job"] = request.kind or "app"
        if request.image:
            from s2i.images.given import given  # here: most deployments build something

            found = given(request.image, self._journal.write, self.cancelled)
            if len(found.ports) > 1 and not asked.own_port and kind == "app":
                raise E_IMAGE_PORTS(image=request.image, ports=", ".join(map(str, found.ports)))
            return Built(kind, found.image, next(iter(found.ports), None))
        if not before.image:
            raise E_NO_REVISION(name=one.name, why="it has none yet")
        if not self._world.engine.image_exists(before.image):
            raise E_IMAGE_GONE(image=before.image)
        return Built(
            "app",
            before.image,
            before.config.port,
            before.commit,
            release=before.release,
            source=before.source,
            processes=before.processes,
        )

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        """Wait while the project builds as much at once as it may; what is built meanwhile may have taken its disk."""
        project, ident, said = self.one.project, self.one.id, 0
        try:
            while not self._turns.take(project, ident, limit := self._store.limits(project).builds):
                if limit != said:
                    self._stage("queue", f"wait: the project builds {limit} at once, and does")
                    said = limit
                if self.cancelled.wait(TURN_SECONDS):
                    raise E_CANCELLED(doing="it waited for its turn")
            if said:
                quota.checked_images(self._store, self._world.engine, project, self.one.name)
            yield
        finally:
            self._turns.leave(project, ident)

    def _planned(self, asked: Asked, kind: Literal["app", "job"]) -> None:
        """Refuse what its project has no room for, before it is built. Raises E_QUOTA."""
        one = self.one
        if kind == "job":
            quota.checked_job(self._store, one.project, one.name)
        else:
            quota.checked_app(self._store, one.project, one.name, asked.request.change, asked.config)

    def _is_same(self, asked: Asked, built: Built) -> bool:
        before = asked.before
        if built.kind != "app" or not before.number:
            return False
        app = self._app()
        return app.serving == app.target == before.number and (built.image, asked.with_port(built)) == (
            before.image,
            before.config,
        )

    def _leave(self, request: Request) -> None:
        """End a deployment that makes no revision: what serves does so on."""
        with quota.kept_to(self._store, self.one.project, f"the app {self.one.name}"):
            app = self._store.change_settings(self.one.project, self.one.name, request.change)
        self._loop.kick()
        self.one = self._store.change_deployment(self.one.id, kind="app", revision=app.serving)
        self._stage("rollout", f"nothing is otherwise: revision {app.serving} serves on")
        self._serves()

    # Acceptance, and what a revision has to pass before it gets requests

    def _accept(self, asked: Asked, built: Built) -> None:
        """Write down what is to run: from here on a killed server goes on with it."""
        one, now, config = self.one, self._world.now(), asked.with_port(built)
        if built.kind == "job":
            self._accept_job(asked, built, config)
        else:
            source, release = built.source or one.source, config.release or built.release
            made = Revision(one.project, one.name, 0, built.image, config, source, built.commit, now)
            held = built.prove is not None or bool(release)
            more = {"quiet": asked.request.quiet, "tag": asked.request.tag, "processes": built.processes}
            made = msgspec.structs.replace(made, held=held, own_port=asked.own_port, release=release, **more)
            with self._store.as_one(), quota.kept_to(self._store, one.project, f"the app {one.name}"):
                volumes.checked(self._store, one.project, config)  # one may have been deleted since
                self._store.accept_revision(made, one.id, asked.request.change)
        self.one = self._store.deployment(one.project, one.id)

    def _accept_job(self, asked: Asked, built: Built, config: Config) -> None:
        one, now = self.one, self._world.now()
        before = next((job for job in self._store.jobs(one.project) if job.name == one.name), None)
        execution = merged(before.execution if before else Execution(), asked.request.execution)
        keep = merged(before.keep if before else Keep(), asked.request.keep)
        config = unpinned(config)  # each run takes the newest secrets
        job = Job(one.project, one.name, built.image, config, built.source or one.source, commit=built.commit)
        job = msgspec.structs.replace(job, execution=checked_execution(execution), keep=checked_keep(keep))
        # Somebody looks at this first run: a failure is told at once.
        run = msgspec.structs.replace(job.execution, retry_limit=0) if asked.request.submit else None
        with self._store.as_one(), quota.kept_to(self._store, one.project, f"the job {one.name}"):
            volumes.checked(self._store, one.project, config)
            if run and job.execution.mode == "daemon":
                attempts.cancel_all(self._world, one.project, one.name)
            if run:
                quota.checked_run(self._store, run_of(job, now, run))
            self._store.accept_job(job, one.id, now, run)

    def _admit(self, asked: Asked, built: Built) -> None:
        """Prove the image and run the release command while the revision comes up; then let that get requests."""
        try:
            other = None
            if built.prove:
                with around("prove"):
                    other = built.prove(self._opened(asked.with_port(built)), self._told)
            if other is None:
                self._release(asked.request.timeout)
        except Stopped:
            raise
        except Exception as error:
            self._fail(error.message if isinstance(error, S2IError) else type(error).__name__)
            raise
        if other is None:
            with around("admit"):
                self._store.release_revision(self.one.project, self.one.name, self.one.revision)
            return
        self._fail("its proof showed how to plan it better", told=False)
        self._accept(asked, other)
        self._admit(asked, other)

    def _release(self, timeout: float) -> None:
        revision = self._revision()
        if revision.release:
            with around("release"):
                release.run(self._world, revision, self._stage, self._wait_for_release, timeout)

    def _wait_for_release(self) -> None:
        self._loop.kick()
        if self.cancelled.is_set():
            raise E_CANCELLED(doing="its release command ran")
        self._pause()

    def _fail(self, why: str, *, told: bool = True) -> None:
        one = self.one
        self._store.mark_failed(one.project, one.name, one.revision, why)
        if told:
            self._told(why if why.startswith("revision ") else f"revision {one.revision}: {why}", "failed")
        self._loop.kick()

    # The end

    def _wait_for_revision(self) -> None:
        one = self.one
        # Not by what serves now: that can be this very revision already.
        others = (each for each in self._store.revisions(one.project, one.name) if each.number < one.revision)
        new = "" if any(each.status not in ("starting", "failed") for each in others) else f"new app {one.name}: "
        self._stage("rollout", f"{new}start revision {one.revision}, wait for an answer")
        while (found := self._revision()).status == "starting":
            self._pause()
        if found.status == "failed":
            serving = self._app().serving
            keeps = f"revision {serving} serves on" if serving else "nothing serves"
            raise diagnosis.error(one.revision, one.name, found.reason, keeps)

    def _follow(self) -> None:
        """Have what runs beside the app be of the revision that serves now."""
        found, app = self._revision(), self._app()
        if found.status == "serving" and app.serving == found.number and not app.stopped:
            for text in processes.follow(self._world, found):
                self._stage("process", text)
            self._loop.kick()

    def _wait_for_run(self) -> dict[str, object]:
        self._stage("rollout", f"run {self.one.result}")
        while (run := self._store.run(self.one.project, self.one.result)).status in OPEN_TASK:
            if run.execution.mode == "daemon" and run.status == "running":
                return {"jobrun": run.name}
            self._pause()
        if run.status != "succeeded":
            raise E_JOB_FAILED(run=run.name, why=run.reason or "unknown")
        return {"jobrun": run.name, "exit": run.exit}

    def _serves(self) -> None:
        url = self._world.router.url(self.one.project, self.one.name)
        self._end({"url": url, "app": self.one.name, "revision": self.one.revision}, url)

    def _end(self, result: dict[str, object], answer: str) -> None:
        with around("end"):
            self._journal.write({"type": "result", **result})
            self._store.change_deployment(self.one.id, status="ready", result=answer, finished=self._world.now())

    def _opened(self, config: Config) -> Config:
        return self._world.vault.opened(self.one.project, config)

    def _app(self) -> App:
        return self._store.app(self.one.project, self.one.name)

    def _revision(self) -> Revision:
        return self._store.revision(self.one.project, self.one.name, self.one.revision)

    def _stage(self, name: str, text: str) -> None:
        self._journal.write({"type": "stage", "name": name, "text": text})

    def _told(self, text: str, what: str = "proof") -> None:
        self._store.record(Event(self._world.now(), self.one.project, self.one.name, what, text))

    def _pause(self) -> None:
        if self._stopped.wait(POLL_SECONDS):
            raise Stopped


class Asked(msgspec.Struct, frozen=True):
    """What is wanted, what it starts from, and the config that follows from both, but for the port."""

    request: Request
    before: Before
    config: Config

    @property
    def own_port(self) -> bool:
        """Whether somebody has asked for the port, now or before."""
        change = self.request.change
        return "port" in change.config or (self.before.own_port and not change.exact)

    def with_port(self, built: Built) -> Config:
        """Return the config with the port of its image, where nobody has asked for one."""
        if self.own_port or not built.port:
            return self.config
        return msgspec.structs.replace(self.config, port=built.port)


def before_of(store: Store, project: str, name: str) -> Before:
    """Return what a deployment of ``name`` starts from."""
    for app in store.apps(project):
        if app.name == name and (kept := store.revisions(project, name)):
            one = next((each for each in kept if each.number == app.serving), kept[-1])
            return Before(
                one.config, one.number, one.image, one.source, one.commit, one.own_port, one.release, one.processes
            )
    for job in store.jobs(project):
        if job.name == name:
            return Before(job.config)
    return Before()
