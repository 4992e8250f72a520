"""Services over HTTP: list, get, create, delete."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
from litestar import Request, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody
from litestar.response import Stream

from s2i import dirs
from s2i.api.body import decoded
from s2i.control import dumps, services
from s2i.control.platform import Platform
from s2i.errors import E_BUSY
from s2i.images import services as images
from s2i.resources.config import checked_cpu, checked_memory
from s2i.resources.job import Job
from s2i.resources.service import ABOUT, CPU, MEMORY, ServiceKind, secret_of

AT = "/v1/projects/{project:str}/services"
DUMP_LIMIT = 64 << 30  # bytes
END_SECONDS, POLL_SECONDS = 30.0, 0.1


class New(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service to be. ``memory`` in bytes, ``cpu`` in cores: what its container may use."""

    name: str
    kind: ServiceKind
    memory: int = MEMORY
    cpu: float = CPU


class ServiceView(msgspec.Struct, frozen=True):
    """A service as callers see it: no credentials, only the names of the secret and the volume that are its own.

    ``answers``: whether it listens. ``run``: the job run that it runs in, for its log; ``reason``: of its last failure.
    """

    project: str
    name: str
    kind: str
    host: str
    port: int
    secret: str
    volume: str
    memory: int
    cpu: float
    created: float
    status: str
    run: str
    reason: str
    answers: bool
    users: list[str]


def routes(platform: Platform) -> list[HTTPRouteHandler]:
    """Return the handlers under /v1/projects/P/services."""
    world = platform.world

    @get(AT, sync_to_thread=True)
    def every(project: FromPath[str]) -> list[ServiceView]:
        return [_view(platform, one) for one in services.every(world, project)]

    @get(f"{AT}/{{name:str}}", sync_to_thread=True)
    def one(project: FromPath[str], name: FromPath[str]) -> ServiceView:
        return _view(platform, services.one(world, project, name))

    @post(AT, sync_to_thread=True)
    def create(project: FromPath[str], body: RawBody) -> ServiceView:
        wanted = decoded(body, New)
        wish = services.Wish(wanted.name, wanted.kind, checked_memory(wanted.memory), checked_cpu(wanted.cpu))
        services.checked_new(world, project, wish.name)  # an image may have to be made
        made = services.create(world, project, wish, images.ensure(wanted.kind))
        platform.loop.kick()
        return _view(platform, made)

    @delete(f"{AT}/{{name:str}}/{{how:str}}", status_code=200, sync_to_thread=True)
    def remove(
        project: FromPath[str], name: FromPath[str], how: FromPath[Literal["all", "keep-volume"]]
    ) -> dict[str, str]:
        job = services.one(world, project, name)
        services.checked_unused(world, job, keep_volume=how == "keep-volume")
        services.end(world, job)
        _await_end(platform, job)
        platform.delete_job(project, name)
        services.forget(world, project, name, keep_volume=how == "keep-volume")
        return {"deleted": name}

    @get(f"{AT}/{{name:str}}/backup", sync_to_thread=True)
    def backup(project: FromPath[str], name: FromPath[str]) -> Stream:
        job = services.one(world, project, name)
        file = tempfile.NamedTemporaryFile(dir=dirs.make_private(dirs.cache()))  # noqa: SIM115 it goes with the answer
        dumps.write(world, job, Path(file.name))
        return Stream(_pieces(file), media_type="application/octet-stream")

    @post(f"{AT}/{{name:str}}/restore", status_code=200, request_max_body_size=DUMP_LIMIT)
    async def restore(project: FromPath[str], name: FromPath[str], request: Request[Any, Any, Any]) -> dict[str, str]:
        job = await asyncio.to_thread(services.one, world, project, name)
        with tempfile.NamedTemporaryFile(dir=dirs.make_private(dirs.cache())) as file:
            async for piece in request.stream():
                file.write(piece)
            file.flush()
            await asyncio.to_thread(dumps.read, world, job, Path(file.name))
        return {"restored": name}

    return [every, one, create, remove, backup, restore]


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(dumps.PIECE):
            yield piece


def _await_end(platform: Platform, job: Job) -> None:
    """Return when no container of a service is left: its volume is in use until then. Raises E_BUSY, E_DOCKER."""
    until = time.monotonic() + END_SECONDS
    platform.loop.kick()
    while services.boxes(platform.world, job):
        if time.monotonic() > until:
            raise platform.loop.engine_error or E_BUSY(name=job.name, holder="it is still being ended")
        time.sleep(POLL_SECONDS)


def _view(platform: Platform, job: Job) -> ServiceView:
    world, about = platform.world, ABOUT[services.kind_of(job)]
    run = services.run(world, job)
    task = next(iter(world.store.tasks(job.project, run.name)), None) if run else None
    last = task.attempts[-1] if task and task.attempts else None
    return ServiceView(
        project=job.project,
        name=job.name,
        kind=job.service,
        host=job.name,
        port=about.port,
        secret=secret_of(job.name),
        volume=job.name,
        memory=job.config.memory,
        cpu=job.config.cpu,
        created=job.created,
        status=task.status if task else "",
        run=run.name if run else "",
        reason=last.reason if last else "",
        answers=services.answers(world, job),
        users=services.users(world, job),
    )
