"""The release command of a new revision: run once, with its image and settings, before it gets requests."""

from __future__ import annotations

import shlex
from collections.abc import Callable

from s2i.control import kept
from s2i.control.world import World
from s2i.errors import E_RELEASE, S2IError
from s2i.planning.secretnames import looks_secret
from s2i.resources import masked
from s2i.resources.app import Revision
from s2i.resources.job import OPEN_TASK, JobRun

SHOWN = 20  # lines


def run(
    world: World, revision: Revision, stage: Callable[[str, str], None], pause: Callable[[], None], timeout: float
) -> None:
    """Run the release command of ``revision`` to its end, as a job run of the app that outlives a killed server.

    ``pause`` waits a moment, or raises: then, and after ``timeout`` seconds, the command is ended.
    Raises E_RELEASE, and what ``pause`` raises.
    """
    begun = world.store.accept_release(revision, world.now())
    stage("release", f"{_shown(revision)} ({begun.name})")
    try:
        ended = _ended(world, begun, pause, timeout)
    except S2IError:
        world.store.delete_run(begun.project, begun.name)
        raise
    if ended.status != "succeeded":
        raise _failure(world, revision, ended, ended.reason or "unknown")
    stage("release", f"done in {ended.finished - ended.started:.1f} s")


def forget(world: World, project: str, app: str) -> None:
    """End the release commands of an app that a server before this one has begun: nobody waits for them."""
    for one in world.store.open_runs():
        if one.release and (one.project, one.job) == (project, app):
            world.store.delete_run(project, one.name)


def _shown(revision: Revision) -> str:
    """Return the command for people."""
    return shlex.join(masked.words(revision.release, looks_secret))


def _ended(world: World, begun: JobRun, pause: Callable[[], None], timeout: float) -> JobRun:
    until = world.now() + timeout
    while (found := world.store.run(begun.project, begun.name)).status in OPEN_TASK:
        if world.now() > until:
            revision = world.store.revision(begun.project, begun.job, begun.release)
            raise _failure(world, revision, found, f"it did not end within {timeout:g} s")
        pause()
    return found


def _failure(world: World, revision: Revision, run: JobRun, why: str) -> S2IError:
    written = [line.text for one in kept.of_run(run.project, run.name).every() for line in kept.read(one)]
    lines = [text.decode("utf-8", "replace") for text in written[-SHOWN:]]
    serving = world.store.app(revision.project, revision.app).serving
    keeps = f"revision {serving} serves on" if serving else "nothing serves"
    return E_RELEASE(command=_shown(revision), number=revision.number, why=why, log=lines, serving=keeps)
