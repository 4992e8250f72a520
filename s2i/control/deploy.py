"""Deployments: from a source to a running service or a job run, each in a thread of its own, with a journal."""

from __future__ import annotations

import contextlib
import logging
import secrets
import threading
import time
from collections.abc import Callable

import msgspec

from s2i.control import quota, release, services, volumes
from s2i.control.course import Course, Stopped, before_of
from s2i.control.journal import Journal
from s2i.control.loop import Loop
from s2i.control.task import Build, Request
from s2i.control.turns import Turns
from s2i.control.world import World
from s2i.crash import around
from s2i.errors import (
    E_CANCELLED,
    E_DELETED,
    E_DISK,
    E_IMAGE_GONE,
    E_INTERNAL,
    E_INTERRUPTED,
    E_NOT_FOUND,
    E_REQUEST,
    E_SUPERSEDED,
    E_TAKEN,
    Kind,
    S2IError,
    disk_full,
)
from s2i.resources.app import OPEN_DEPLOYMENT, App, Deployment, DeploymentStatus, Revision
from s2i.resources.change import config_after, routing_after, scale_after
from s2i.resources.config import checked_seconds
from s2i.resources.execution import checked_execution, checked_keep, merged
from s2i.resources.job import Execution, Keep
from s2i.resources.names import app_name, project_name
from s2i.resources.tags import tag_name
from s2i.sources import Folder, Given, Upload, upload
from s2i.sources.source import checked

KEEP = 200  # deployments that are remembered
ROOM_SECONDS = 1.0  # between two looks whether a full disk has room
ARTICLES = {"app": "an", "job": "a"}
# The others: "failed", which is told of a name that has no app. One that was deleted is to leave nothing behind.
ENDS: dict[Kind, DeploymentStatus] = {
    E_DELETED: "cancelled",
    E_INTERRUPTED: "interrupted",
    E_SUPERSEDED: "superseded",
}

log = logging.getLogger("s2i")


class Deployments:
    """The deployments of one server: one at a time for each name, and the last of those that wait for it."""

    def __init__(self, world: World, loop: Loop, build: Build, labels: Callable[[str], dict[str, str]]) -> None:
        self._world, self._store, self._loop = world, world.store, loop
        self._build, self._labels = build, labels
        self._courses: dict[str, Course] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._stopped = threading.Event()
        self.turns = Turns()

    def begin(self, project: str, request: Request, *, network: bool = False, once: str = "") -> Deployment:
        """Start a deployment, or queue it behind another one of the name, and return it.

        ``network``: see Task; ``once``: see Deployment.

        Raises E_NAME, E_ENV, E_LIMIT, E_PORT, E_URL, E_REF, E_SOURCE, E_BUSY, E_DOCKER, E_SECRET, E_INDEX, E_BUILD_ARG,
        E_TAKEN, E_NOT_FOUND, E_QUOTA.
        """
        request = self._checked(project, request)
        self._world.engine.info()
        ident, now = secrets.token_hex(6), self._world.now()
        new = Deployment(ident, project, request.name, self._place(project, request), "building", now, once=once)
        with around("open"):
            new = self._store.open_deployment(new, queue=True)
        self._prune()
        course = self._course(new)
        self._loop.kick()  # what can be made ready beside the build is
        labels = self._labels(project)

        def whole() -> None:
            try:
                course.run(request, self._build, labels, network=network)
            finally:
                if isinstance(request.source, Upload):
                    upload.forget(project, request.source.id)

        self._spawn(course, whole)
        return new

    def again(self, revision: Revision, why: str, *, newest: bool = False) -> Deployment:
        """Roll ``revision`` out as a new one with the next number: its image and its config, without a build.

        ``why`` is told as its source. With ``newest`` it gets its secrets and configmaps as they are now.
        Raises E_BUSY, E_IMAGE_GONE, E_REFERENCE, E_SEAL, E_QUOTA, E_DOCKER and its kin.
        """
        config = self._world.vault.pinned(revision.project, revision.config, newest=newest)
        revision = msgspec.structs.replace(revision, config=config)
        if not self._world.engine.image_exists(revision.image):
            raise E_IMAGE_GONE(image=revision.image)
        now = self._world.now()
        new = Deployment(secrets.token_hex(6), revision.project, revision.app, why, "building", now)
        made = msgspec.structs.replace(
            revision, number=0, created=now, status="starting", reason="", held=False, quiet=False, tag=""
        )
        with self._store.as_one(), quota.kept_to(self._store, new.project, f"the app {new.name}"):
            volumes.checked(self._store, new.project, config)
            self._store.open_deployment(new)
            self._store.accept_revision(made, new.id)
        self._prune()
        self._loop.kick()
        course = self._course(self._store.deployment(new.project, new.id))
        self._spawn(course, course.wait)
        return course.one

    def cancel(self, project: str, ident: str) -> Deployment:
        """End the build of a deployment. Once its revision is accepted, the roll-out goes on. Raises E_NOT_FOUND."""
        found = self._store.deployment(project, ident)
        if course := self._courses.get(ident):
            course.cancelled.set()
        return found

    def building(self, project: str) -> tuple[Deployment, ...]:
        """Return those that wait for their turn or are being built."""
        return tuple(one for one in self._store.deployments(project) if one.status in ("queued", "building"))

    def unborn(self, project: str) -> tuple[Deployment, ...]:
        """Return the newest deployment of each name that has no app or job, unless it was cancelled; by name."""
        known = {one.name for one in self._store.apps(project)} | {one.name for one in self._store.jobs(project)}
        newest = {one.name: one for one in reversed(self._store.deployments(project)) if one.name not in known}
        shown = ("queued", "building", "failed", "interrupted")
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
            if one.status == "rolling-out" and not self._is_held(one):
                course = self._course(one)
                self._spawn(course, course.wait)
            elif one.status in OPEN_DEPLOYMENT:
                if one.status == "rolling-out":
                    why = "the server ended before it was admitted"
                    self._store.mark_failed(one.project, one.name, one.revision, why)
                    release.forget(self._world, one.project, one.name)
                self._fail(one, E_INTERRUPTED(name=one.name))

    def stop(self, timeout: float = 10.0) -> None:
        """Cancel every build, leave every roll-out to the next server, and wait until nobody is at work any more."""
        self._stopped.set()
        for course in list(self._courses.values()):
            course.cancelled.set()
        until = time.monotonic() + timeout
        for thread in list(self._threads.values()):
            thread.join(max(until - time.monotonic(), 0.0))

    def _checked(self, project: str, request: Request) -> Request:
        project_name(project)
        app_name(request.name)
        checked_seconds(request.timeout)
        apps = {one.name: one for one in self._store.apps(project)}
        jobs = {one.name: one for one in self._store.jobs(project)}
        what, mine, others = ("job", jobs, apps) if request.kind == "job" else ("app", apps, jobs)
        if request.expect == "new" and request.name in mine:
            advice = f"change it with `s2i {what} update {request.name}`, or delete it first"
            raise E_TAKEN(name=request.name, what=f"{ARTICLES[what]} {what}", project=project, advice=advice)
        if (request.expect or request.kind) and request.name in others:
            other = "app" if what == "job" else "job"
            raise E_TAKEN(name=request.name, what=f"{ARTICLES[other]} {other}", project=project)
        if request.source is not None and request.image:
            raise E_REQUEST(why="it names a source and an image")
        settings_alone = request.source is None and not request.image
        if (request.expect == "there" or settings_alone) and request.name not in mine:
            raise E_NOT_FOUND(what=what, thing=what, name=request.name, project=project)
        if settings_alone and request.kind == "job":
            raise E_REQUEST(why="a job is made from a source or an image")
        job = jobs.get(request.name)
        checked_execution(merged(job.execution if job else Execution(), request.execution))
        checked_keep(merged(job.keep if job else Keep(), request.keep))
        config = config_after(request.change, before_of(self._store, project, request.name).config)
        self._world.vault.pinned(project, config, force=request.force)
        volumes.checked(self._store, project, config)
        services.checked_env(config)

        app = apps.get(request.name) or App(project, request.name, target=0)
        scale_after(request.change, app.scale)
        routing_after(request.change, app.routing)
        if request.kind == "job":
            quota.checked_job(self._store, project, request.name)
        elif request.name in apps or request.expect or request.image:  # else its plan says what it is
            quota.checked_app(self._store, project, request.name, request.change, config)
        if request.tag:
            tag_name(request.tag, request.name)
        if request.image:
            from s2i.images.given import named

            request = msgspec.structs.replace(request, image=named(request.image))
        if request.source is not None:
            request = msgspec.structs.replace(request, source=checked(request.source))
            quota.checked_images(self._store, self._world.engine, project, request.name)
        if request.secrets or request.index or request.arguments:
            from s2i.images.private.received import received  # here: most deployments are given nothing

            given, url = received(request.secrets, request.index, request.arguments)
            request = msgspec.structs.replace(request, secrets=given, index=url)
        return request

    def _place(self, project: str, request: Request) -> str:
        """Return where a deployment comes from, for people."""
        if request.source is not None:
            return _text(request.source)
        number = before_of(self._store, project, request.name).number
        return request.image or f"revision {number}, with other settings"

    def _is_held(self, one: Deployment) -> bool:
        if one.kind != "app":
            return False
        found = self._store.revision(one.project, one.name, one.revision)
        return found.held and found.status == "starting"

    def _course(self, one: Deployment) -> Course:
        made = self._courses[one.id] = Course(self._world, self._loop, one, self._stopped, self.turns)
        return made

    def _spawn(self, course: Course, work: Callable[[], None]) -> None:
        ident = course.one.id

        def whole() -> None:
            try:
                self._guarded(course, work)
            finally:
                self._threads.pop(ident, None)
                self._courses.pop(ident, None)

        self._threads[ident] = threading.Thread(target=whole, name=f"deploy {ident}", daemon=True)
        self._threads[ident].start()

    def _guarded(self, course: Course, work: Callable[[], None]) -> None:
        """Do ``work``; whatever goes wrong with it is the deployment's end, told in its journal."""
        try:
            work()
        except Stopped:
            return
        except S2IError as error:
            gone = error.kind is E_NOT_FOUND and self._was_deleted(course.one)
            self._fail(course.one, E_DELETED(name=course.one.name) if gone else error)
        except Exception as error:
            log.exception("deployment %s", course.one.id)
            self._fail(course.one, disk_full(error) or E_INTERNAL(why=type(error).__name__))

    def _was_deleted(self, one: Deployment) -> bool:
        known = {app.name for app in self._store.apps(one.project)} | {
            job.name for job in self._store.jobs(one.project)
        }
        return one.status == "rolling-out" and one.name not in known

    def _fail(self, one: Deployment, error: S2IError) -> None:
        wire: dict[str, str | int] = {**error.as_dict(), "exit": error.exit}
        status = "cancelled" if error.exit == E_CANCELLED.exit else ENDS.get(error.kind, "failed")
        with contextlib.suppress(OSError):  # a full disk: the record has it as well
            Journal(one.id).write({"type": "error", "error": wire})
        while True:
            try:
                self._store.change_deployment(one.id, status=status, error=wire, finished=self._world.now())
                return
            except S2IError as full:  # else the name were held by what nobody works at
                if full.kind is not E_DISK or self._stopped.wait(ROOM_SECONDS):
                    raise

    def _prune(self) -> None:
        for old in self._store.deployments()[KEEP:]:
            if old.status not in OPEN_DEPLOYMENT:
                self._drop(old)

    def _drop(self, one: Deployment) -> None:
        self._store.forget_deployment(one.id)
        Journal(one.id).remove()


def _text(source: Given) -> str:
    """Return the source as a person would write it."""
    if isinstance(source, Upload):
        return source.title
    if isinstance(source, Folder):
        return source.path + (f"#{source.subdir}" if source.subdir else "")
    at = source.commit or source.ref
    return source.url + (f"@{at}" if at else "") + (f"#{source.subdir}" if source.subdir else "")
