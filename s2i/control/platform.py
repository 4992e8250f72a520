"""One server's parts, put together."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, cast

from s2i import dirs
from s2i.control import kept, processes, projects, quota, runs, veil
from s2i.control.actions import RemoveRoute, SetRoute
from s2i.control.deploy import Deployments
from s2i.control.execute import execute, sweep_images
from s2i.control.happenings import tell
from s2i.control.logs import Wish, log_of
from s2i.control.loop import Loop
from s2i.control.meter import Meter
from s2i.control.people import People
from s2i.control.scaling import Autoscaler
from s2i.control.store import Store
from s2i.control.subject import Subject
from s2i.control.task import Build
from s2i.control.throttle import Throttle
from s2i.control.tidy import Sweeper
from s2i.control.timer import Timer
from s2i.control.waker import Waker
from s2i.control.world import World
from s2i.engines.engine import Engine
from s2i.errors import E_BUSY, S2IError
from s2i.resources import labels
from s2i.resources.app import App, Domain, Event
from s2i.resources.bundle import BundleKind
from s2i.resources.change import Change
from s2i.resources.job import JobRun
from s2i.resources.tags import route_name
from s2i.router.desk import Desk
from s2i.router.router import Router
from s2i.sources import upload

DELETE_SECONDS = 60.0


class Platform:
    """The store, the engine, the router, the loop and the deployments of one server."""

    def __init__(self, store: Store, engine: Engine, router: Router, build: Build) -> None:
        self.store = store
        self.engine = engine
        self.router = router
        self.started = time.time()
        self.world = World(engine, router, store, time.time)
        self.people = People(store, self.world.now)
        self.loop = Loop(self.world, counts=lambda: self.autoscaler.counts(), awake=lambda: self.waker.awake())
        self.waker = Waker(
            lambda: self.loop.targets,
            self.loop.look,
            self.loop.start_now,
            is_ending=lambda one: self.loop.is_ending(one),
        )
        self.autoscaler = Autoscaler(self.world, lambda: self.loop.targets, self.waker, self.loop.kick)
        self.throttle = Throttle(router, lambda: self.loop.targets, self.waker)
        self.deployments = Deployments(self.world, self.loop, build, self._labels)
        self.gate: Desk | None = None  # where the router asks for an app that does not answer
        self.turnstile: Desk | None = None  # and for each request of an app with a limit
        self.timer = Timer(self.world, self.loop.kick)
        self.meter = Meter(self.world, lambda: self.loop.containers)
        self.sweeper = Sweeper(self.world, lambda: projects.end_old(self))
        self.asides = threading.RLock()  # held by who ends, restores or removes a deleted project
        self.stopping = threading.Event()

    def start(self) -> None:
        """Take up what a server before this one left, and begin."""
        upload.clear()
        self.sweeper.start()
        self.deployments.recover()
        if self.gate:
            self.gate.start()
        if self.turnstile:
            self.turnstile.start()
        self.loop.start()
        self.autoscaler.start()
        self.timer.start()
        self.meter.start()

    def stop(self) -> None:
        """Cancel the builds, end the loop and the router; containers are left as they are."""
        self.sweeper.stop()
        self.meter.stop()
        self.timer.stop()
        self.deployments.stop()
        self.autoscaler.stop()
        self.loop.stop()
        self.router.stop()
        if self.gate:
            self.gate.stop()
        if self.turnstile:
            self.turnstile.stop()
        self.store.close()

    def remove_all(self, *, volumes: bool = False) -> dict[str, int]:
        """End every app and job, and remove all that the server ever made but volumes; return counts of what went.

        ``volumes``: these go as well, with what is in them.

        Raises E_DOCKER.
        """
        self.engine.info()  # before anything ends: without an engine nothing can be removed
        self.meter.stop()
        self.timer.stop()
        self.deployments.stop()
        self.autoscaler.stop()
        self.loop.stop()
        apps, jobs = self.store.apps(), self.store.jobs()
        self.router.clear()
        counts = {"apps": len(apps), "jobs": len(jobs), **self.engine.remove_all(volumes=volumes)}
        self.store.clear(volumes=volumes)
        self.people.refresh()
        for kind in ("jobruns", "deployments", "apps"):
            shutil.rmtree(dirs.state() / "logs" / kind, ignore_errors=True)
        return counts

    def delete_app(self, project: str, name: str) -> None:
        """Delete an app, and return when nothing of it is left. Raises E_NOT_FOUND, E_BUSY after DELETE_SECONDS.

        What is being built of it is cancelled. Of a name whose first deployment failed there is only its record.
        """
        until = time.monotonic() + DELETE_SECONDS
        built = self._end_builds(project, name, until)
        born = any(one.name == name for one in self.store.apps(project))
        if (built and not born) or self.deployments.unborn_of(project, name):
            self.deployments.forget(project, name)
            return
        app = self.store.app(project, name)
        self.store.delete_app(project, name)
        for job in processes.of(self.world, app):
            self.delete_job(project, job.name)
        self.loop.kick()
        # Its images go after its record: they are nobody's only then.
        while any(one.name == name for one in self.store.apps(project)) or self.loop.is_busy(("app", project, name)):
            if time.monotonic() > until:
                raise self.loop.engine_error or E_BUSY(name=name, holder="it is still being deleted")
            time.sleep(0.05)
        self.deployments.forget(project, name)

    def _end_builds(self, project: str, name: str, until: float) -> bool:
        """Cancel what is being built under a name, which would make it anew; say whether there was any."""
        found = False
        while begun := [one for one in self.deployments.building(project) if one.name == name]:
            for one in begun:
                self.deployments.cancel(project, one.id)
            found = True
            if time.monotonic() > until:
                raise E_BUSY(name=name, holder="it is still being built")
            time.sleep(0.05)
        return found

    def set_stopped(self, project: str, name: str, *, stopped: bool) -> App:
        """Let nothing of an app run any more, also beside it, or let it run again; return it. Raises E_NOT_FOUND."""
        app = self.store.set_stopped(project, name, stopped=stopped)
        (processes.stop if stopped else processes.start)(self.world, app)
        self.loop.kick()
        return app

    def restart_users(self, project: str, kind: BundleKind, name: str) -> list[str]:
        """Start the apps anew that refer to a secret or a configmap; return those that do."""
        begun = []
        for app in self.store.apps(project):
            if f"app {app.name}" in self.world.vault.users(project, kind, name) and app.serving and not app.stopped:
                found = self.store.revision(project, app.name, app.serving)
                with contextlib.suppress(S2IError):  # one that is just being deployed takes the newest anyway
                    self.deployments.again(found, f"revision {found.number}, with another {kind} {name}", newest=True)
                    begun.append(app.name)
        return begun

    def change_settings(self, project: str, name: str, change: Change) -> App:
        """Change how many instances an app may have, and how requests come to it, at once where it has a route.

        Raises E_NOT_FOUND, E_REQUEST, E_LIMIT, E_QUOTA, E_ROUTER, E_DOCKER.
        """
        with quota.kept_to(self.store, project, f"the app {name}"):
            changed = self.store.change_settings(project, name, change)
        if change.routing:
            self._route(changed)
        self.loop.kick()
        return changed

    def map_domain(self, project: str, name: str, domain: Domain) -> None:
        """Let a domain lead to an app, at once where that has a route. Raises E_NOT_FOUND, E_DOMAIN_TAKEN, E_ROUTER."""
        app = self.store.map_domain(project, name, domain)
        self.tell(app, "domain", f"{domain.host} leads here")
        self._route(app)

    def unmap_domain(self, project: str, name: str, host: str) -> None:
        """Let a domain lead to an app no more. Raises E_NOT_FOUND, E_ROUTER."""
        app = self.store.unmap_domain(project, name, host)
        self.tell(app, "domain", f"{host} leads here no more")
        self._route(app)

    def set_traffic(
        self,
        project: str,
        name: str,
        percents: tuple[tuple[int, int], ...] | None,
        tags: Mapping[str, int],
        untag: Sequence[str],
    ) -> App:
        """Send the requests of an app to revisions by percent (None: as they go), and give some addresses of their own.

        All of it or nothing, at once; return the app. Raises E_NOT_FOUND, E_TRAFFIC, E_QUOTA, E_ROUTER.
        """
        with self.store.as_one(), quota.kept_to(self.store, project, f"the app {name}"):
            app = self.store.app(project, name)
            if tags or untag:
                app = self.store.set_tags(project, name, tags, untag)
            if percents is not None:
                app = self.store.set_traffic(project, name, percents)
        for tag in tags:
            execute(SetRoute(project, route_name(tag, name)), self.world)
        for tag in untag:
            execute(RemoveRoute(project, route_name(tag, name)), self.world)
        self.loop.kick()
        return app

    def _route(self, app: App) -> None:
        """Have the route of an app changed now: the loop does nothing without an engine."""
        if (app.project, app.name) in self.router.routes():
            execute(SetRoute(app.project, app.name), self.world)
        self.loop.kick()

    def delete_run(self, project: str, name: str) -> None:
        """Delete a job run with its log; end it when it still runs. Raises E_NOT_FOUND."""
        runs.forget(self.world, project, name)
        self.loop.kick()

    def delete_job(self, project: str, name: str) -> None:
        """Delete a job, its runs, their logs and its image; cancel what is being built of it.

        Raises E_NOT_FOUND, E_BUSY after DELETE_SECONDS.
        """
        self._end_builds(project, name, time.monotonic() + DELETE_SECONDS)
        every = self.store.runs(project, name)
        self.store.delete_job(project, name)
        for run in every:
            kept.of_run(project, run.name).forget()
        self.deployments.forget(project, name)
        self.loop.kick()
        sweep_images(self.world)

    def tell(self, app: App, what: str, text: str = "") -> None:
        """Record what somebody did to an app."""
        tell(self.store, Event(self.world.now(), app.project, app.name, what, text))

    def app_logs(self, app: App, wish: Wish) -> Iterator[bytes]:
        """Yield the log of an app as log_of does. Raises E_DOCKER at once."""

        def exists() -> bool:
            return any(one.name == app.name for one in self.store.apps(app.project))

        hidden = veil.of(self.world.vault, app.project, app.name)
        return _begun(log_of(self.engine, Subject(app.project, app.name, "instance"), wish, exists, hidden))

    def run_logs(self, run: JobRun, wish: Wish) -> Iterator[bytes]:
        """Yield the log of a job run as log_of does. Raises E_DOCKER at once."""

        def goes_on() -> bool:
            return any((one.project, one.name) == (run.project, run.name) for one in self.store.open_runs())

        hidden = veil.of(self.world.vault, run.project, run.job)
        return _begun(log_of(self.engine, Subject(run.project, run.name, "task"), wish, goes_on, hidden))

    def _labels(self, project: str) -> dict[str, str]:
        return {labels.SERVER: self.store.server, labels.PROJECT: project}


def _begun(lines: Generator[bytes, None, None]) -> Iterator[bytes]:
    """Return ``lines`` after the first was asked for: what stands in their way is raised here."""
    first = next(lines)

    def every() -> Iterator[bytes]:
        with contextlib.closing(lines):
            yield first
            yield from lines

    return every()


class _Late:
    """An engine that is connected to when it is first asked something, and again until it answers."""

    def __init__(self, connect: Callable[[], Engine]) -> None:
        self._connect = connect
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._engine is None:
                self._engine = self._connect()
        return getattr(self._engine, name)


def late(connect: Callable[[], Engine]) -> Engine:
    """Return an engine whose every method raises what ``connect`` raises until that succeeds."""
    return cast("Engine", _Late(connect))


def open_store() -> Store:
    """Open this server's database. Raises E_STORE."""
    return Store(dirs.make_private(dirs.state()) / "s2i.db")
