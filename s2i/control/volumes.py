"""Volumes at work: made on the engine, refused where there is none, removed only by name."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from s2i.control import quota
from s2i.control.store import Store
from s2i.control.world import World
from s2i.errors import E_NO_VOLUME, E_VOLUME_USED
from s2i.resources.app import Config
from s2i.resources.names import project_words, volume_name
from s2i.resources.volume import Volume


def create(world: World, project: str, name: str) -> Volume:
    """Make a volume; return it. Raises E_NAME, E_VOLUME, E_QUOTA, E_DOCKER, E_CONTAINER."""
    one = Volume(project, volume_name(name), world.now())
    with quota.kept_to(world.store, project, f"the volume {name}"):
        world.store.create_volume(one)
    try:
        world.engine.make_volume(project, name)
    except BaseException:
        world.store.forget_volume(project, name)
        raise
    return one


def delete(world: World, project: str, name: str) -> None:
    """Remove a volume with what is in it. Raises E_NO_VOLUME, E_VOLUME_USED, E_DOCKER.

    Its record goes last: what a killed server has begun is done by asking again.
    """
    with world.store.as_one():
        found = world.store.volume(project, name)
        if who := list(users(world.store, project, name)):
            raise E_VOLUME_USED(name=name, users=", ".join(who))
        world.store.put_volume(msgspec.structs.replace(found, deleting=True))
    try:
        world.engine.remove_volume(project, name)
    except BaseException:
        world.store.put_volume(found)
        raise
    world.store.forget_volume(project, name)


def checked(store: Store, project: str, config: Config) -> None:
    """Return when every volume that a config mounts is there. Raises E_NO_VOLUME."""
    if config.volumes:
        there = {one.name for one in store.volumes(project) if not one.deleting}
        for one in config.volumes:
            if one.name not in there:
                raise E_NO_VOLUME(name=one.name, project=project, words=project_words(project))


def users(store: Store, project: str, name: str) -> Iterator[str]:
    """Yield who mounts a volume, in words: "app shop", "job report"; an app by any revision that it needs."""
    revisions = store.revisions_by_app(project)
    for app in store.apps(project):
        needed = (one for one in revisions.get((project, app.name), ()) if one.number in app.numbers)
        if any(_mounts(one.config, name) for one in needed):
            yield f"app {app.name}"
    runs = [one for one in store.open_runs() if one.project == project]
    for job in store.jobs(project):
        configs = [job.config, *(run.config for run in runs if run.job == job.name)]
        if any(_mounts(one, name) for one in configs):
            yield f"job {job.name}"


def _mounts(config: Config, name: str) -> bool:
    return any(one.name == name for one in config.volumes)
