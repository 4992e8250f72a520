"""Make base images from Debian's packages with mmdebstrap: two tar files, imported into the engine."""

from __future__ import annotations

import contextlib
import os
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from s2i import shell
from s2i.errors import E_BASE
from s2i.images.bases import mirror, table
from s2i.resources import labels

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
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The packages of one base, and the paths in them that are left out."""

    packages: tuple[str, ...]
    exclude: tuple[str, ...]


def ready() -> bool:
    """Say whether this machine has what makes the images: mmdebstrap, and Debian's keys."""
    return shell.find("mmdebstrap") is not None and mirror.KEYRING.exists()


def build_base(row: table.Row, client: docker.DockerClient) -> str:
    """Make the build base of ``row`` and return its image ID: Debian, Python, a compiler, uv. About 25 s.

    Raises E_BASE.
    """
    hook = ("--variant=apt", '--customize-hook=sh "$S2I_HOOK" "$1"')
    env = {"S2I_HOOK": str(HERE / "build.sh"), "S2I_UV": _uv()}
    return _made(row, "build", hook, env, table.local(row.python).build, client)


def runtime_base(row: table.Row, client: docker.DockerClient) -> str:
    """Make the runtime base of ``row`` and return its image ID: about 60 MB, no apt, no perl. About 5 s.

    Raises E_BASE.
    """
    # Later releases ship the links /bin -> usr/bin in a package.
    merged = (f"--hook-dir={MERGED}",) if row.suite in ("bullseye", "bookworm") else ()
    hook = ("--variant=extract", "--skip=cleanup/apt,cleanup/mmdebstrap", '--extract-hook=sh "$S2I_HOOK" "$1"', *merged)
    return _made(row, "runtime", hook, {"S2I_HOOK": str(HERE / "runtime.sh")}, table.local(row.python).runtime, client)


def command(
    row: table.Row, stage: Literal["build", "runtime"], options: Sequence[str], target: Path, aptopt: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the call of mmdebstrap. Its sources.list comes in on standard input."""
    recipe = msgspec.convert(tomllib.loads((HERE / "recipe.toml").read_text())[stage], Recipe)
    return (
        "mmdebstrap",
        *options,
        *(f"--aptopt={option}" for option in aptopt),
        *(f"--dpkgopt=path-exclude={path}" for path in recipe.exclude),
        f"--include={','.join((*recipe.packages, *row.extra))}",
        row.suite,
        str(target),
        "-",
    )


def _made(
    row: table.Row,
    stage: Literal["build", "runtime"],
    options: Sequence[str],
    env: dict[str, str],
    name: str,
    client: docker.DockerClient,
) -> str:
    with tempfile.TemporaryDirectory(prefix="s2i-base-") as scratch:
        tar = Path(scratch, "root.tar")
        argv = command(row, stage, options, tar, _apt_settings())
        sources = "\n".join((*mirror.find().lines(row.suite), "")).encode()
        environment = {**os.environ, **env, "SOURCE_DATE_EPOCH": EPOCH, "TMPDIR": scratch}
        try:
            ended = shell.run(argv, timeout=TIMEOUT, env=environment, stdin=sources)
        except shell.Missing:
            raise E_BASE(python=row.python, why="mmdebstrap is not installed") from None
        except shell.TimedOut as late:
            raise E_BASE(python=row.python, why=str(late)) from None
        if ended.code:
            said = ended.err.decode(errors="replace").strip().splitlines()
            wrong = [line for line in said if line.startswith("E: ")] or said
            raise E_BASE(python=row.python, why=("mmdebstrap failed:", *wrong[-8:]))
        return _imported(tar, row, name, client)


def _imported(tar: Path, row: table.Row, name: str, client: docker.DockerClient) -> str:
    """Import ``tar`` as ``name``, and remove the image that had the name before unless something uses it."""
    import docker.errors

    before = None
    with contextlib.suppress(docker.errors.ImageNotFound):
        before = client.images.get(name).id
    repository, _, tag = name.rpartition(":")
    changes = [
        f"LABEL {labels.BASE}={row.python}",
        f"LABEL {table.RECIPE_LABEL}={table.RECIPE}",
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


def _apt_settings() -> tuple[str, ...]:
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
