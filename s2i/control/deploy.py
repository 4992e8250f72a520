"""Deployments: from a source to a running service or a job run, each in a thread of its own, with a journal."""

from __future__ import annotations

import functools
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable

import msgspec

from s2i.control import diagnosis
from s2i.control.execute import World
from s2i.control.journal import Journal
from s2i.control.loop import Loop
from s2i.control.store import OPEN_DEPLOYMENT
from s2i.control.task import Build, Built, Prove, Request, Task
from s2i.errors import E_CANCELLED, E_IMAGE_GONE, E_INTERNAL, E_INTERRUPTED, E_JOB_FAILED, S2IError
from s2i.resources.app import Config, Deployment, DeploymentStatus, Event, Revision
from s2i.resources.config import checked_config, checked_port, checked_seconds
from s2i.resources.job import Job
from s2i.resources.names import app_name, project_name
from s2i.sources import Folder, Source
from s2i.sources.source import checked

POLL_SECONDS = 0.01
KEEP = 200  # deployments that are remembered

log = logging.getLogger("s2i")


class _Stopped(Exception):
    """The server ends: who waits for a roll-out leaves it to the next one."""


class Deployments:
    """The deployments of one server: one at a time for each name."""

    def __init__(self, world: World, loop: Loop, build: Build, labels: Callable[[str], dict[str, str]]) -> None:
        self._world, self._store, self._loop = world, world.store, loop
        self._build, self._labels = build, labels
        self._cancels: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._stopped = threading.Event()

    def begin(self, project: str, request: Request, *, network: bool = False) -> Deployment:
        """Start a deployment and return it. ``network``: see Task.

        Raises E_NAME, E_ENV, E_LIMIT, E_PORT, E_URL, E_REF, E_SOURCE, E_BUSY, E_DOCKER, E_SECRET, E_INDEX, E_BUILD_ARG.
        """
        project_name(project)
        app_name(request.name)
        checked_config(request.config)
        checked_seconds(request.timeout)
        if request.port is not None:
            checked_port(request.port)
        request = msgspec.structs.replace(request, source=checked(request.source))
        if request.secrets or request.index or request.arguments:
            from s2i.images.private.received import received  # here: most deployments are given nothing

            given, url = received(request.secrets, request.index, request.arguments)
            request = msgspec.structs.replace(request, secrets=given, index=url)
        self._world.engine.info()
        ident = secrets.token_hex(6)
        new = Deployment(ident, project, request.name, _text(request.source), "building", self._world.now())
        self._store.open_deployment(new)
        self._prune()
        self._cancels[ident] = threading.Event()
        self._loop.kick()  # what can be made ready beside the build is
        self._spawn(lambda: self._guarded(new, lambda: self._build_and_accept(new, request, network)), ident)
        return new

    def again(self, revision: Revision, why: str) -> Deployment:
        """Roll ``revision`` out as a new one with the next number: its image and its config, without a build.

        ``why`` is told as its source. Raises E_BUSY, E_IMAGE_GONE, E_DOCKER and its kin.
        """
        if not self._world.engine.image_exists(revision.image):
            raise E_IMAGE_GONE(image=revision.image)
        now = self._world.now()
        new = Deployment(secrets.token_hex(6), revision.project, revision.app, why, "building", now)
        self._store.open_deployment(new)
        self._prune()
        made = Revision(
            revision.project, revision.app, 0, revision.image, revision.config, revision.source, revision.commit, now
        )
        self._store.accept_revision(made, new.id)
        self._loop.kick()
        accepted = self._store.deployment(new.project, new.id)
        self._spawn(lambda: self._guarded(accepted, lambda: self._wait(accepted)), new.id)
        return accepted

    def cancel(self, project: str, ident: str) -> Deployment:
        """End the build of a deployment. Once its revision is accepted, the roll-out goes on. Raises E_NOT_FOUND."""
        found = self._store.deployment(project, ident)
        if ident in self._cancels:
            self._cancels[ident].set()
        return found

    def unborn(self, project: str) -> tuple[Deployment, ...]:
        """Return the newest deployment of each name that has no app or job, unless it was cancelled; by name."""
        known = {one.name for one in self._store.apps(project)} | {one.name for one in self._store.jobs(project)}
        newest = {one.name: one for one in reversed(self._store.deployments(project)) if one.name not in known}
        shown = ("building", "failed", "interrupted")
        return tuple(one for _, one in sorted(newest.items()) if one.status in shown)

    def unborn_of(self, project: str, name: str) -> Deployment | None:
        """Return the one of ``unborn`` that has this name, None for none."""
        return next((one for one in self.unborn(project) if one.name == name), None)

    def forget(self, project: str, name: str) -> None:
        """Remove the records of the ended deployments of ``name``."""
        for one in self._store.deployments(project):
            if one.name == name and one.status not in OPEN_DEPLOYMENT:
                self._drop(one)

    def recover(self) -> None:
        """Close what a killed server left: builds are interrupted, roll-outs are watched to their end."""
        for one in self._store.deployments():
            if one.status == "building":
                self._fail(one, E_INTERRUPTED(name=one.name))
            elif one.status == "rolling-out" and self._is_held(one):
                self._store.mark_failed(one.project, one.name, one.revision, "the server ended while it was proven")
                self._fail(one, E_INTERRUPTED(name=one.name))
            elif one.status == "rolling-out":
                self._spawn(functools.partial(self._guarded, one, functools.partial(self._wait, one)), one.id)

    def stop(self, timeout: float = 10.0) -> None:
        """Cancel every build, leave every roll-out to the next server, and wait until nobody is at work any more."""
        self._stopped.set()
        for cancel in list(self._cancels.values()):
            cancel.set()
        until = time.monotonic() + timeout
        for thread in list(self._threads.values()):
            thread.join(max(until - time.monotonic(), 0.0))

    def _is_held(self, one: Deployment) -> bool:
        if one.kind != "app":
            return False
        found = self._store.revision(one.project, one.name, one.revision)
        return found.held and found.status == "starting"

    def _spawn(self, work: Callable[[], None], ident: str) -> None:
        def whole() -> None:
            try:
                work()
            finally:
                self._threads.pop(ident, None)

        self._threads[ident] = threading.Thread(target=whole, name=f"deploy {ident}", daemon=True)
        self._threads[ident].start()

    def _build_and_accept(self, new: Deployment, request: Request, network: bool) -> None:
        journal, cancelled = Journal(new.id), self._cancels[new.id]
        try:
            labels = self._labels(new.project)
            task = Task(new.id, new.project, request, new.source, network, labels, journal.write, cancelled)
            built = self._build(task)
            if cancelled.is_set():
                raise E_CANCELLED(doing="it was being built")
            accepted = self._accept(new, request, built)
            self._loop.kick()
            if built.prove is not None:
                accepted = self._proven(accepted, request, built, built.prove)
        finally:
            self._cancels.pop(new.id, None)
        self._loop.kick()
        self._wait(accepted)

    def _accept(self, new: Deployment, request: Request, built: Built) -> Deployment:
        """Write down what is to run: from here on a killed server goes on with it."""
        config = _config(request, built)
        now = self._world.now()
        if built.kind == "job":
            self._store.accept_run(Job(new.project, new.name, built.image, config, new.source), new.id, now)
        else:
            held = built.prove is not None
            made = Revision(new.project, new.name, 0, built.image, config, new.source, built.commit, now, held=held)
            self._store.accept_revision(made, new.id, request.h2c)
        return self._store.deployment(new.project, new.id)

    def _proven(self, one: Deployment, request: Request, built: Built, prove: Prove) -> Deployment:
        """Prove the image while its revision comes up, and let that get traffic; else the revision has failed."""
        try:
            other = prove(_config(request, built), lambda text: self._told(one, text))
        except Exception as error:
            if isinstance(error, S2IError):
                self._remind(one, error)
            why = error.message if isinstance(error, S2IError) else type(error).__name__
            self._store.mark_failed(one.project, one.name, one.revision, why)
            self._told(one, f"revision {one.revision}: {why}", "failed")
            self._loop.kick()
            raise
        if other is None:
            self._store.release_revision(one.project, one.name, one.revision)
            return one
        self._store.mark_failed(one.project, one.name, one.revision, "its proof showed how to plan it better")
        return self._accept(one, request, other)

    def _remind(self, one: Deployment, error: S2IError) -> None:
        """Add to an error about a variable that what serves has it: people expect a new revision to inherit it."""
        serving = self._store.app(one.project, one.name).serving
        if not serving:
            return
        had = dict(self._store.revision(one.project, one.name, serving).config.env)
        now = dict(self._store.revision(one.project, one.name, one.revision).config.env)
        said = set(re.findall(r"\w+", error.message))
        if lost := [name for name in had if name not in now and name in said]:
            error.advice += f"\nrevision {serving} has {', '.join(lost)}: each deployment sets all variables anew"

    def _told(self, one: Deployment, text: str, what: str = "proof") -> None:
        self._store.record(Event(self._world.now(), one.project, one.name, what, text))

    def _wait(self, one: Deployment) -> None:
        journal = Journal(one.id)
        journal.write(
            {
                "type": "status",
                "status": "rolling-out",
                "kind": one.kind,
                "revision": one.revision,
                "jobrun": one.result,
            }
        )
        result = self._wait_for_run(one) if one.kind == "job" else self._wait_for_revision(one)
        journal.write({"type": "result", **result})
        answer = str(result["url"]) if one.kind == "app" else one.result
        self._store.change_deployment(one.id, status="ready", result=answer, finished=self._world.now())

    def _wait_for_revision(self, one: Deployment) -> dict[str, object]:
        journal = Journal(one.id)
        new = "" if self._store.app(one.project, one.name).serving else f"new app {one.name}: "
        what = f"{new}start revision {one.revision}, wait for an answer"
        journal.write({"type": "stage", "name": "rollout", "text": what})
        while (found := self._store.revision(one.project, one.name, one.revision)).status == "starting":
            self._pause()
        if found.status == "failed":
            serving = self._store.app(one.project, one.name).serving
            keeps = f"revision {serving} serves on" if serving else "nothing serves"
            failure = diagnosis.error(one.revision, one.name, found.reason, keeps)
            self._remind(one, failure)
            raise failure
        return {"url": self._world.router.url(one.project, one.name), "app": one.name, "revision": one.revision}

    def _wait_for_run(self, one: Deployment) -> dict[str, object]:
        Journal(one.id).write({"type": "stage", "name": "rollout", "text": f"run {one.result}"})
        while (run := self._store.run(one.project, one.result)).status in ("pending", "running"):
            self._pause()
        if run.status == "failed":
            raise E_JOB_FAILED(run=run.name, why=run.reason or "unknown")
        return {"jobrun": run.name, "exit": run.exit}

    def _pause(self) -> None:
        if self._stopped.wait(POLL_SECONDS):
            raise _Stopped

    def _guarded(self, one: Deployment, work: Callable[[], None]) -> None:
        """Do ``work``; whatever goes wrong with it is the deployment's end, told in its journal."""
        try:
            work()
        except _Stopped:
            return
        except S2IError as error:
            self._fail(one, error)
        except Exception as error:
            log.exception("deployment %s", one.id)
            self._fail(one, E_INTERNAL(why=type(error).__name__))

    def _fail(self, one: Deployment, error: S2IError) -> None:
        wire: dict[str, str | int] = {**error.as_dict(), "exit": error.exit}
        status: DeploymentStatus = "cancelled" if error.exit == E_CANCELLED.exit else "failed"
        if error.kind is E_INTERRUPTED:
            status = "interrupted"
        Journal(one.id).write({"type": "error", "error": wire})
        self._store.change_deployment(one.id, status=status, error=wire, finished=self._world.now())

    def _prune(self) -> None:
        for old in self._store.deployments()[KEEP:]:
            if old.status not in OPEN_DEPLOYMENT:
                self._drop(old)

    def _drop(self, one: Deployment) -> None:
        self._store.forget_deployment(one.id)
        Journal(one.id).remove()


def _config(request: Request, built: Built) -> Config:
    return msgspec.structs.replace(request.config, port=request.port or built.port or request.config.port)


def _text(source: Source) -> str:
    """Return the source as a person would write it."""
    if isinstance(source, Folder):
        return source.path + (f"#{source.subdir}" if source.subdir else "")
    at = source.commit or source.ref
    return source.url + (f"@{at}" if at else "") + (f"#{source.subdir}" if source.subdir else "")
