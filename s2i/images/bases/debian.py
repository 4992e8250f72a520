"""Make base images from Debian's packages with mmdebstrap: two tar files, imported into the engine."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
import threading
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from s2i import shell
from s2i.errors import E_BASE
from s2i.images.bases import installed, mirror, table
from s2i.images.bases.machine import Way
from s2i.resources import labels
from s2i.sources import workspace

if TYPE_CHECKING:
    import docker

HERE = Path(__file__).parent
EPOCH = "1735689600"  # every file is at most this old: the same packages give the same layer
MERGED = "/usr/share/mmdebstrap/hooks/merged-usr"
TIMEOUT = 900.0
TOOLS = ("mmdebstrap", "debian-archive-keyring")
# A proxy; a mirror that stands still (a snapshot, a copy behind an air gap) and so has a Release file past its date.
APT_SETTINGS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)
Stage = Literal["build", "runtime"]
# Whatever ends mmdebstrap, SIGKILL too: what it has mounted and started ends with it, and this machine sees none of it.
APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Packages(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The packages of one base, and the paths in them that are left out."""

    packages: tuple[str, ...]
    exclude: tuple[str, ...]


def ready() -> bool:
    """Say whether this machine has what makes the images: mmdebstrap, and Debian's keys."""
    return shell.find("mmdebstrap") is not None and mirror.KEYRING.exists()


def build_base(way: Way, client: docker.DockerClient, cancelled: threading.Event | None = None) -> str:
    """Make the build base that ``way`` says and return its image ID: Python, a compiler, uv. About 30 s.

    That of an installed Python stands on Debian's own of the same release, which has to be there.
    Raises E_BASE, shell.Cancelled.
    """
    if way.folder:
        return _on_top(way, client)
    hook = ("--variant=apt", '--customize-hook=sh "$S2I_HOOK" "$1"')
    env = {"S2I_HOOK": str(HERE / "build.sh"), "S2I_UV": _uv()}
    return _made(way, "build", hook, env, way.base.build, client, cancelled)


def runtime_base(way: Way, client: docker.DockerClient, cancelled: threading.Event | None = None) -> str:
    """Make the runtime base that ``way`` says and return its image ID: about 60 MB, no apt, no perl. About 10 s.

    Raises E_BASE, shell.Cancelled.
    """
    # Later releases ship the links /bin -> usr/bin in a package.
    merged = (f"--hook-dir={MERGED}",) if way.suite in ("bullseye", "bookworm") else ()
    hook = ("--variant=extract", "--skip=cleanup/apt,cleanup/mmdebstrap", '--extract-hook=sh "$S2I_HOOK" "$1"', *merged)
    env = {"S2I_HOOK": str(HERE / "runtime.sh")}
    return _made(way, "runtime", hook, env, way.base.runtime, client, cancelled)


def command(
    way: Way,
    stage: Stage,
    options: Sequence[str],
    target: Path,
    aptopt: Sequence[str] = (),
    libraries: Sequence[str] = (),
) -> tuple[str, ...]:
    """Return the call of mmdebstrap. Its sources.list comes in on standard input.

    ``libraries``: the packages that an installed Python needs; it takes the place of Debian's.
    """
    recipe = msgspec.convert(_recipe()[stage], Packages)
    wanted = tuple(name for name in recipe.packages if not (way.folder and name.startswith("python3")))
    return (
        *APART,
        "mmdebstrap",
        *options,
        *(f"--aptopt={option}" for option in aptopt),
        *(f"--dpkgopt=path-exclude={path}" for path in recipe.exclude),
        f"--include={','.join(dict.fromkeys((*wanted, *way.extra, *libraries)))}",
        way.suite,
        str(target),
        "-",
    )


def _recipe() -> dict[str, object]:
    return tomllib.loads((HERE / "recipe.toml").read_text())


def _on_top(way: Way, client: docker.DockerClient) -> str:
    """Put an installed Python on the build base of its release: the many of one machine share all but a layer."""
    import docker.errors
    import requests.exceptions

    row = next(row for row in table.rows() if row.suite == way.suite)
    name = way.base.build
    with (
        workspace("base") as scratch,
        tempfile.TemporaryFile() as context,
    ):
        libraries = _laid_out(way, scratch / "python")
        text = installed.dockerfile(way, table.local(row.python).build, libraries, way.recipe)
        (scratch / "Dockerfile").write_text(text)
        with tarfile.open(fileobj=context, mode="w") as archive:
            archive.add(scratch, ".", filter=_nobodys)
        context.seek(0)
        try:
            image, _ = client.images.build(fileobj=context, custom_context=True, tag=name, rm=True, forcerm=True)
        except docker.errors.BuildError as error:
            said = [str(line.get("stream") or line.get("error") or "").rstrip() for line in error.build_log]
            raise E_BASE(python=way.python, why=(f"{error.msg}:", *[line for line in said if line][-8:])) from None
        except (docker.errors.APIError, requests.exceptions.RequestException) as error:
            raise E_BASE(python=way.python, why=str(error)) from None
    return str(image.id)


def _nobodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _laid_out(way: Way, target: Path) -> tuple[str, ...]:
    """Lay an installed Python out in ``target`` and return the packages that it needs."""
    parts = msgspec.convert(_recipe()["installed"], installed.Parts)
    installed.lay_out(Path(way.folder), parts, target, int(EPOCH))
    return installed.packages(way.python, target)


def _made(
    way: Way,
    stage: Stage,
    options: Sequence[str],
    env: dict[str, str],
    name: str,
    client: docker.DockerClient,
    cancelled: threading.Event | None,
) -> str:
    with workspace("base") as scratch:
        tar, python = scratch / "root.tar", scratch / "python"
        libraries = _laid_out(way, python) if way.folder else ()
        if way.folder:
            env = {**env, "S2I_PYTHON": str(python)}
        argv = command(way, stage, options, tar, apt_settings(), libraries)
        sources = "\n".join((*mirror.find().lines(way.suite), "")).encode()
        variables = {**environment(os.environ), **env, "SOURCE_DATE_EPOCH": EPOCH, "TMPDIR": str(scratch)}
        try:
            ended = shell.run(
                argv, timeout=TIMEOUT, env=variables, cwd=scratch, stdin=sources, cancelled=cancelled, bound=True
            )
        except shell.Missing:
            raise E_BASE(python=way.python, why="mmdebstrap is not installed") from None
        except shell.TimedOut as late:
            raise E_BASE(python=way.python, why=str(late)) from None
        if ended.code:
            said = ended.err.decode(errors="replace").strip().splitlines()
            wrong = [line for line in said if line.startswith("E: ")] or said
            raise E_BASE(python=way.python, why=("mmdebstrap failed:", *wrong[-8:]))
        return _imported(tar, way, name, client)


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for mmdebstrap, part of which is Python: the system's has to run it.

    pyenv's `python3` in front on PATH would be the one that a .python-version of the source asks for.
    """
    kept = {
        name: value for name, value in inherited.items() if not name.startswith(("PYTHON", "PYENV_", "VIRTUAL_ENV"))
    }
    return {**kept, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def _imported(tar: Path, way: Way, name: str, client: docker.DockerClient) -> str:
    """Import ``tar`` as ``name``, and remove the image that had the name before unless something uses it."""
    import docker.errors

    before = None
    with contextlib.suppress(docker.errors.ImageNotFound):
        before = client.images.get(name).id
    repository, _, tag = name.rpartition(":")
    changes = [
        f"LABEL {labels.BASE}={way.python}",
        f"LABEL {table.RECIPE_LABEL}={way.recipe}",
        f"ENV {PATH}",
        "ENV LANG=C.UTF-8",
        'CMD ["python3"]',
    ]
    client.api.import_image_from_file(str(tar), repository=repository, tag=tag, changes=changes)
    made = str(client.images.get(name).id)
    if before and before != made:
        with contextlib.suppress(docker.errors.APIError):
            client.api.remove_image(before)
    return made


def apt_settings() -> tuple[str, ...]:
    """Return what apt on this machine is told of the way to its mirror: mmdebstrap does not read /etc/apt."""
    found = []
    for key in APT_SETTINGS:
        with contextlib.suppress(shell.Missing, shell.TimedOut):
            out = shell.run(("apt-config", "dump", key), timeout=10).out.decode(errors="replace")
            found += [line for line in out.splitlines() if line.startswith(f'{key} "') and line != f'{key} "";']
    return tuple(found)


def _uv() -> str:
    import uv

    try:
        return str(uv.find_uv_bin())
    except FileNotFoundError as error:
        raise E_BASE(python="", why=f"uv, which s2i depends on, is not complete: {error}") from None
