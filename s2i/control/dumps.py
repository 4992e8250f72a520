"""What is in a service, as a file of its own program's format: taken while it runs, checked before it is put back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from s2i.control import services
from s2i.control.world import World
from s2i.errors import E_DUMP
from s2i.resources.job import Job
from s2i.resources.service import ServiceKind

PIECE = 64 << 10  # bytes
PLACE = ".restore"  # on the volume, while it is checked and put back
GRACE_SECONDS = 10.0


class Programs(NamedTuple):
    """The commands of a kind: the first bytes of a dump, what writes one, what checks one, what puts it back.

    ``ends``: what runs is ended then, and takes the dump over when it starts again.
    """

    magic: bytes
    dump: str
    check: str
    restore: str
    ends: bool = False


PROGRAMS: dict[ServiceKind, Programs] = {
    "postgres": Programs(
        magic=b"PGDMP",
        dump='exec pg_dump -h /tmp -U postgres --format=custom "$(cat /run/service/database)"',
        # The whole of it is read and unpacked: what is torn shows here.
        check=f"exec pg_restore --file=/dev/null /data/{PLACE}",
        restore="PGOPTIONS='-c lock_timeout=30s' exec pg_restore -h /tmp -U \"$(cat /run/service/username)\" "
        '--dbname "$(cat /run/service/database)" --clean --if-exists --no-owner --no-acl --single-transaction '
        f"--exit-on-error /data/{PLACE}",
    ),
    "redis": Programs(
        magic=b"REDIS",
        # To a file: to an output redis-cli writes what only ends the transfer as well.
        dump='export REDISCLI_AUTH="$(cat /run/service/password)"; file=/data/.backup.$$; '
        "redis-cli --rdb $file >/dev/null && cat $file; code=$?; rm -f $file; exit $code",
        check=f"exec redis-check-rdb /data/{PLACE}",
        restore=f"exec mv /data/{PLACE} /data/redis/restore.rdb",
        ends=True,
    ),
}


def write(world: World, job: Job, target: Path) -> None:
    """Write what is in a service to a file. Raises E_DUMP, E_DOCKER."""
    with target.open("wb") as file:
        code, said = world.engine.run_in(_container(world, job, "backed up"), _shell(_of(job).dump), file.write)
    if code:
        raise _failure(job, "backed up", said)


def read(world: World, job: Job, source: Path) -> None:
    """Put what a file holds in the place of what is in a service. Nothing is changed when it cannot be.

    Raises E_DUMP, E_DOCKER.
    """
    programs, box = _of(job), _container(world, job, "restored")
    checked_head(job.name, services.kind_of(job), source)
    world.engine.put_file(box, "/data", PLACE, source.stat().st_size, _pieces(source))
    try:
        for command in (programs.check, programs.restore):
            code, said = world.engine.run_in(box, _shell(command), lambda _: None)
            if code:
                raise _failure(job, "restored", said or "the file is torn, or not from a backup")
    finally:
        world.engine.run_in(box, _shell(f"exec rm -f /data/{PLACE}"), lambda _: None)
    if programs.ends:
        world.engine.end(box, GRACE_SECONDS)


def checked_head(name: str, kind: ServiceKind, source: Path) -> None:
    """Return when a file begins as a dump of its kind does. Raises E_DUMP."""
    magic = PROGRAMS[kind].magic
    with source.open("rb") as file:
        if file.read(len(magic)) != magic:
            raise E_DUMP(name=name, done="restored", why=f"the file is no backup of a service of the kind {kind}")


def _container(world: World, job: Job, done: str) -> str:
    for box in services.boxes(world, job):
        if box.state == "running":
            return box.id
    raise E_DUMP(name=job.name, done=done, why="it does not run")


def _of(job: Job) -> Programs:
    return PROGRAMS[services.kind_of(job)]


def _shell(command: str) -> tuple[str, ...]:
    return ("sh", "-c", f"PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; {command}")


def _failure(job: Job, done: str, said: str) -> Exception:
    lines = said.strip().splitlines()
    return E_DUMP(name=job.name, done=done, why=lines[-1] if lines else "its program failed")


def _pieces(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
