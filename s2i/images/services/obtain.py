"""See to it that the engine has the image of a service: made once with mmdebstrap, and found by its name after that."""

from __future__ import annotations

import fcntl
import os
import tomllib
from pathlib import Path

import msgspec

from s2i import dirs, shell
from s2i.errors import E_SERVICE_IMAGE, S2IError
from s2i.images.bases import debian, mirror
from s2i.resources import labels
from s2i.resources.service import ServiceKind
from s2i.sources import workspace

HERE = Path(__file__).parent
COMMON = ("base-files", "coreutils", "dash", "libc-bin", "netbase", "tzdata")
IMPORT_SECONDS = 300.0


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of which packages of a Debian release an image is made, without the paths ``exclude``."""

    recipe: str
    suite: str
    packages: tuple[str, ...]
    exclude: tuple[str, ...]


def recipe_of(kind: ServiceKind) -> Recipe:
    """Return what the image of a service is made of."""
    return msgspec.convert(tomllib.loads((HERE / "services.toml").read_text())[kind], Recipe)


def name_of(kind: ServiceKind) -> str:
    """Return the name of the image of a service."""
    return f"s2i.local/{kind}:{recipe_of(kind).recipe}"


def ensure(kind: ServiceKind) -> str:
    """Return the id of the image of a service, made when it is not there: about half a minute.

    Raises E_SERVICE_IMAGE, E_DOCKER.
    """
    with (dirs.make_private(dirs.cache()) / f"service-{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would make it twice
        return _present(kind) or _made(kind)


def command(kind: ServiceKind, target: Path, aptopt: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the call of mmdebstrap. Its sources.list comes in on standard input."""
    recipe = recipe_of(kind)
    return (
        *debian.APART,
        "mmdebstrap",
        "--variant=extract",
        "--skip=cleanup/apt,cleanup/mmdebstrap",
        '--extract-hook=sh "$S2I_HOOK" "$1"',
        f"--hook-dir={debian.MERGED}",
        *(f"--aptopt={option}" for option in aptopt),
        *(f"--dpkgopt=path-exclude={path}" for path in recipe.exclude),
        f"--include={','.join((*COMMON, *recipe.packages))}",
        recipe.suite,
        str(target),
        "-",
    )


def _present(kind: ServiceKind) -> str:
    import docker.errors

    from s2i.engines.docker import connection

    try:
        return str(connection.client().images.get(name_of(kind)).id)
    except docker.errors.ImageNotFound:
        return ""


def _made(kind: ServiceKind) -> str:
    from s2i.engines.docker import connection, install

    try:
        if not debian.ready():
            install.refuse_unless_possible()
            install.install(debian.TOOLS, lambda _: None)
    except S2IError as error:
        raise E_SERVICE_IMAGE(kind=kind, why=error.message) from None
    recipe, (repository, _, tag) = recipe_of(kind), name_of(kind).rpartition(":")
    with workspace("service") as scratch:
        tar = scratch / "root.tar"
        _run(kind, command(kind, tar, debian.apt_settings()), recipe.suite, scratch)
        changes = [
            f"LABEL {labels.BASE}={kind}",
            f"ENV {debian.PATH}",
            "ENV LANG=C.UTF-8",
            'CMD ["start-service"]',
        ]
        client = connection.client(timeout=IMPORT_SECONDS)
        client.api.import_image_from_file(str(tar), repository=repository, tag=tag, changes=changes)
    return str(client.images.get(name_of(kind)).id)


def _run(kind: ServiceKind, argv: tuple[str, ...], suite: str, scratch: Path) -> None:
    given = "\n".join((*mirror.find().lines(suite), "")).encode()
    ours = {"S2I_HOOK": str(HERE / "finish.sh"), "S2I_START": str(HERE / f"{kind}.sh"), "TMPDIR": str(scratch)}
    env = {**debian.environment(os.environ), **ours, "SOURCE_DATE_EPOCH": debian.EPOCH}
    try:
        ended = shell.run(argv, timeout=debian.TIMEOUT, env=env, cwd=scratch, stdin=given, bound=True)
    except (shell.Missing, shell.TimedOut) as error:
        raise E_SERVICE_IMAGE(kind=kind, why=str(error) or "mmdebstrap is not installed") from None
    if ended.code:
        said = ended.err.decode(errors="replace").strip().splitlines()
        raise E_SERVICE_IMAGE(
            kind=kind, why=("mmdebstrap failed:", *([w for w in said if w[:3] == "E: "] or said)[-8:])
        )
