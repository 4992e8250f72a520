"""Services at work: each is a daemon of its project, with a secret and a volume of its own, under its own name."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import msgspec

from s2i.control import attempts, quota, volumes
from s2i.control.store.jobs import run_of
from s2i.control.world import World
from s2i.engines.engine import Observed
from s2i.errors import (
    E_ENV,
    E_IMAGE_GONE,
    E_NO_SERVICE,
    E_NO_VOLUME,
    E_NOT_FOUND,
    E_SERVICE,
    E_SERVICE_USED,
    E_TAKEN,
    E_VOLUME_USED,
    S2IError,
)
from s2i.resources.app import Config
from s2i.resources.bundle import Bundle
from s2i.resources.job import Execution, Job, JobRun
from s2i.resources.names import project_words
from s2i.resources.service import ABOUT, ServiceKind, bound, config, credentials, secret_of, service_name

PASSWORD_BYTES = 24
DAEMON = Execution(mode="daemon")


class Wish(msgspec.Struct, frozen=True):
    """What somebody wants of a service: which, called how, and what its container may use."""

    name: str
    kind: ServiceKind
    memory: int
    cpu: float


def create(world: World, project: str, wish: Wish, image: str) -> Job:
    """Make a service of ``image`` and let it run; return it.

    A volume of its name that nobody mounts is taken over, with what is in it.
    Raises E_NAME, E_TAKEN, E_VOLUME_USED, E_QUOTA, E_DOCKER.
    """
    name, now = service_name(wish.name), world.now()
    checked_new(world, project, name)
    if not world.engine.image_exists(image):
        raise E_IMAGE_GONE(image=image)
    fresh = _volume(world, project, name)
    try:
        values = credentials(name, wish.kind, secrets.token_hex(PASSWORD_BYTES))
        world.vault.put(Bundle(project, "secret", secret_of(name)), values, now)
        settings = config(name, wish.kind, wish.memory, wish.cpu)
        job = Job(project, name, image, settings, execution=DAEMON, service=wish.kind)
        with world.store.as_one(), quota.kept_to(world.store, project, f"the service {name}"):
            quota.checked_run(world.store, run_of(job, now, DAEMON))
            world.store.accept_job(job, "", now, DAEMON)
    except BaseException:
        with contextlib.suppress(S2IError):
            world.vault.delete(project, "secret", secret_of(name), force=True)
        if fresh:
            volumes.delete(world, project, name)
        raise
    return world.store.job(project, name)


def start(world: World, project: str) -> None:
    """Let the services of a project run that do not: those of a project that is back."""
    running = {one.job for one in world.store.open_runs() if one.project == project and not one.cancelled}
    for job in world.store.jobs(project):
        if job.service and job.name not in running:
            world.store.accept_run(run_of(job, world.now(), job.execution))


def every(world: World, project: str) -> list[Job]:
    """Return the services of a project, by name."""
    return [job for job in world.store.jobs(project) if job.service]


def one(world: World, project: str, name: str) -> Job:
    """Return one service. Raises E_NO_SERVICE."""
    for job in every(world, project):
        if job.name == name:
            return job
    raise E_NO_SERVICE(name=name, project=project, words=project_words(project))


def run(world: World, job: Job) -> JobRun | None:
    """Return the run in which a service runs, None when it does not."""
    return next(iter(world.store.runs(job.project, job.name)), None)


def answers(world: World, job: Job) -> bool:
    """Say whether a service listens where its apps ask it."""
    ports = [port for box in boxes(world, job) for _, port in world.engine.listening(box.owner)]
    return ABOUT[kind_of(job)].port in ports


def boxes(world: World, job: Job) -> list[Observed]:
    """Return the containers of a service, asked of the engine."""
    found = world.engine.observe()
    return [
        one for one in found if one.role == "task" and (one.owner.project, one.owner.name) == (job.project, job.name)
    ]


def kind_of(job: Job) -> ServiceKind:
    """Return which kind of service a job is that is one."""
    assert job.service
    return job.service


def checked_job(world: World, project: str, name: str, done: str) -> None:
    """Return unless a job is a service: what jobs do would put two containers on its data, or none. Raises E_SERVICE.

    ``done``: what was asked for.
    """
    if any(job.name == name for job in every(world, project)):
        raise E_SERVICE(name=name, done=done, why="it is no job", words=project_words(project))


def checked_secret(world: World, project: str, secret: str) -> None:
    """Return unless a secret is that of a service, which could not begin again without. Raises E_SERVICE."""
    for job in every(world, project):
        if secret_of(job.name) == secret:
            why = f"the secret {secret} is its own, and goes with it"
            raise E_SERVICE(name=job.name, done="left without its password", why=why, words=project_words(project))


def users(world: World, job: Job) -> list[str]:
    """Return who is bound to a service, in words: "app shop", "job report"."""
    found = world.vault.users(job.project, "secret", secret_of(job.name))
    return [each for each in found if each != f"job {job.name}"]


def checked_env(config: Config) -> None:
    """Return unless a variable hides the one of a service that is bound. Raises E_ENV."""
    own = dict(config.env)
    for service, variable in bound(config).items():
        if variable in own:
            advice = f"take one of them away: `--env-rm {variable}`, or `s2i app unbind NAME {service}`"
            raise E_ENV(value=variable, why=f"it is that of the service {service}", example="", advice=advice)


def checked_unused(world: World, job: Job, *, keep_volume: bool) -> None:
    """Return when nobody is bound to a service or, unless its volume stays, mounts that.

    Raises E_SERVICE_USED, E_VOLUME_USED.
    """
    if found := users(world, job):
        raise E_SERVICE_USED(name=job.name, users=", ".join(found))
    mounting = [one for one in volumes.users(world.store, job.project, job.name) if one != f"job {job.name}"]
    if mounting and not keep_volume:
        raise E_VOLUME_USED(name=job.name, users=", ".join(mounting))


def end(world: World, job: Job) -> None:
    """Ask for the end of what runs of a service."""
    attempts.cancel_all(world, job.project, job.name)


def forget(world: World, project: str, name: str, *, keep_volume: bool) -> None:
    """Remove the credentials of a service that is gone, and its volume with all that is in it, unless that stays."""
    with _gone():
        world.vault.delete(project, "secret", secret_of(name), force=True)
    if not keep_volume:
        with _gone():
            volumes.delete(world, project, name)


def checked_new(world: World, project: str, name: str) -> None:
    """Return when a service can have a name. Raises E_NAME, E_TAKEN."""
    service_name(name)
    for job in world.store.jobs(project):
        if job.name == name:
            what = "a service" if job.service else "a job"
            raise E_TAKEN(name=name, what=what, project=project, advice="give the service another name")
    if any(each.name == name for each in world.store.apps(project)):
        raise E_TAKEN(name=name, what="an app", project=project, advice="give the service another name")
    if any(each.name == secret_of(name) for each in world.store.bundles(project, "secret")):
        raise E_TAKEN(name=secret_of(name), what="a secret", project=project, advice="delete that secret first")


def _volume(world: World, project: str, name: str) -> bool:
    """See to the volume of a service; say whether it was made for it. Raises E_TAKEN when somebody mounts it."""
    try:
        world.store.volume(project, name)
    except S2IError:
        volumes.create(world, project, name)
        return True
    if who := list(volumes.users(world.store, project, name)):
        raise E_TAKEN(name=name, what=f"a volume of {', '.join(who)}", project=project, advice="give another name")
    return False


@contextlib.contextmanager
def _gone() -> Iterator[None]:
    """Pass over what is not there any more."""
    try:
        yield
    except S2IError as error:
        if error.kind not in (E_NOT_FOUND, E_NO_VOLUME):
            raise
