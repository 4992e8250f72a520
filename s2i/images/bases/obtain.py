"""See to it that the engine has base images: use what is there, else pull, else make them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from s2i.errors import E_BASE, S2IError
from s2i.images.bases import debian, offer, table
from s2i.planning.plan import Base

if TYPE_CHECKING:
    import docker

REGISTRY_SECONDS = 5.0
PULL_SECONDS = 600.0
IMPORT_SECONDS = 300.0
Say = Callable[[str], None]


def ensure(pythons: Sequence[str], say: Say, client: docker.DockerClient | None = None) -> tuple[Base, ...]:
    """Make sure that the engine has a base image of each of ``pythons`` ("3.13"); return what is offered now.

    Says one line for each action. Raises E_BASE (none can be had), E_DOCKER.
    """
    from s2i.engines.docker import connection

    client = client or connection.client(timeout=120)
    offer.refresh(client)
    present = {base.python for base in offer.recall().bases}
    missing = [python for python in pythons if python not in present]
    if not missing:
        return offer.offered()
    answers = registry_answers()
    offer.refresh(client, answers)
    left = [python for python in missing if not (answers and _pulled(python, say))]
    if left:
        _make(left, say)
    return offer.refresh(client)


def make(python: str, say: Say = lambda line: None) -> Base:
    """Make both base images of ``python`` from Debian's packages, whatever there was before.

    Needs mmdebstrap and debian-archive-keyring: installs them where it may. Raises E_BASE, E_DOCKER.
    """
    from s2i.engines.docker import connection

    _make([python], say)
    offer.refresh(connection.client())
    return table.local(python)


def _make(pythons: Sequence[str], say: Say) -> None:
    """Make the images of ``pythons``, two Pythons at a time: a core is busy with each."""
    rows = [_makeable(python) for python in pythons]
    _tools(pythons[0], say)
    with ThreadPoolExecutor(max_workers=2) as pool:
        for done in [pool.submit(_make_one, row, say) for row in rows]:
            done.result()


def _make_one(row: table.Row, say: Say) -> None:
    from s2i.engines.docker import connection

    client = connection.client(timeout=IMPORT_SECONDS)
    base = table.local(row.python)
    for name, verb in ((base.runtime, debian.runtime_base), (base.build, debian.build_base)):
        say(f"making {name} from Debian {row.suite}'s packages")
        start = time.monotonic()
        size = client.images.get(verb(row, client)).attrs["Size"] / 1e6
        say(f"made {name}: {size:.0f} MB, {time.monotonic() - start:.0f} s")


def _makeable(python: str) -> table.Row:
    row = table.row(python)
    if row is None:
        raise E_BASE(python=python, why=f"s2i knows {', '.join(r.python for r in table.rows())}")
    if not row.suite:
        raise E_BASE(python=python, why="no registry answers, and no Debian release carries this Python")
    return row


def _tools(python: str, say: Say) -> None:
    """Install what makes images out of packages, where it is missing. Raises E_BASE when that cannot be done."""
    from s2i.engines.docker import install

    try:
        if not debian.ready():
            install.refuse_unless_possible()
            install.install(debian.TOOLS, say)
    except S2IError as error:
        raise E_BASE(python=python, why=f"no registry answers, and mmdebstrap is not here: {error.message}") from None


def registry_answers() -> bool:
    """Ask the engine whether it reaches the registry of the official images. At most REGISTRY_SECONDS.

    The engine asks, not this process: the mirror and the proxy that count are the engine's.
    """
    import docker.errors
    import requests.exceptions

    from s2i.engines.docker import connection

    image = table.official(table.rows()[-1]).runtime
    try:
        connection.client(timeout=REGISTRY_SECONDS).api.inspect_distribution(image)  # type: ignore[no-untyped-call]
    except (docker.errors.APIError, requests.exceptions.RequestException):
        return False
    return True


def _pulled(python: str, say: Say) -> bool:
    import docker.errors
    import requests.exceptions

    from s2i.engines.docker import connection

    row = table.row(python)
    if row is None:
        return False
    name = table.official(row).runtime
    say(f"pulling {name}")
    start = time.monotonic()
    try:
        image = connection.client(timeout=PULL_SECONDS).images.pull(name)
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        say(f"cannot pull {name}: {error}")
        return False
    say(f"pulled {name}: {image.attrs['Size'] / 1e6:.0f} MB, {time.monotonic() - start:.0f} s")
    return True
