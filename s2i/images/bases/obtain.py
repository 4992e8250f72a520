"""See to it that the engine has base images: use what is there, else pull, else make them."""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from s2i import dirs, shell
from s2i.errors import E_BASE, S2IError
from s2i.images.bases import debian, machine, offer, table
from s2i.images.bases.machine import Way
from s2i.planning.plan import Base

if TYPE_CHECKING:
    import docker

REGISTRY_SECONDS = 4.0  # a build that cannot have its base says so within 5 s
PULL_SECONDS = 600.0
IMPORT_SECONDS = 300.0
WAIT_SECONDS = 0.2
Say = Callable[[str], None]


def ensure(
    pythons: Sequence[str],
    say: Say,
    cancelled: threading.Event | None = None,
) -> tuple[Base, ...]:
    """Make sure that the engine has a base image of each of ``pythons`` ("3.13"); return what is offered now.

    Says one line for each action. Raises E_BASE (none can be had), E_DOCKER, shell.Cancelled.
    """
    from s2i.engines.docker import connection

    engine = connection.wire()
    offer.refresh(engine)
    present = {base.python for base in offer.recall().bases}
    missing = [python for python in pythons if python not in present]
    if not missing:
        return offer.offered()
    answers = registry_answers()
    offer.refresh(engine, answers)
    left = [python for python in missing if not (answers and _pulled(python, say))]
    if left:
        _make(left, say, cancelled)
    return offer.refresh(engine)


def make(python: str, say: Say = lambda line: None, cancelled: threading.Event | None = None) -> Base:
    """Make both base images of ``python`` on this machine, unless somebody else just did; return the base.

    Installs mmdebstrap and debian-archive-keyring where it may. Raises E_BASE, E_DOCKER, shell.Cancelled.
    """

    _make([python], say, cancelled)
    found = offer.refresh()
    return next(base for base in found if base.python == python)


def _make(pythons: Sequence[str], say: Say, cancelled: threading.Event | None) -> None:
    """Make the images of ``pythons``, two Pythons at a time: a core is busy with each."""
    ways = [_way(python) for python in pythons]
    _tools(pythons[0], say)
    if len(ways) == 1:
        _make_one(ways[0], say, cancelled)
        return
    given_up = cancelled or threading.Event()
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [pool.submit(_make_one, way, say, given_up) for way in ways]
        try:
            for done in running:
                done.result()
        except KeyboardInterrupt:
            given_up.set()  # the pool waits for its threads: they have to end
            raise


def _make_one(way: Way, say: Say, cancelled: threading.Event | None) -> None:
    from s2i.engines.docker import connection

    client = connection.client(timeout=IMPORT_SECONDS)
    base = way.base
    if way.folder:  # its build base stands on Debian's own
        _make_one(_way(next(row.python for row in table.rows() if row.suite == way.suite)), say, cancelled)
    with _alone(way.python, say, cancelled):
        there = offer.present(connection.wire())
        if any(found.python == way.python and found.build == base.build for found in there):
            return
        with _whole(base, client):
            for name, verb in ((base.runtime, debian.runtime_base), (base.build, debian.build_base)):
                say(f"making {name} from {way.origin}")
                start = time.monotonic()
                size = client.images.get(verb(way, client, cancelled)).attrs["Size"] / 1e6
                say(f"made {name}: {size:.0f} MB, {time.monotonic() - start:.0f} s")


@contextlib.contextmanager
def _alone(python: str, say: Say, cancelled: threading.Event | None) -> Iterator[None]:
    """Hold the lock of ``python``: two builds that need the same base make it once. Raises shell.Cancelled."""
    with (dirs.make_private(dirs.cache()) / f"base-{python}.lock").open("w") as file:
        told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say(f"waiting: the base images of Python {python} are being made already")
                told = True
            if cancelled is not None and cancelled.is_set():
                raise shell.Cancelled("waiting for a base image")
            time.sleep(WAIT_SECONDS)
        yield


@contextlib.contextmanager
def _whole(base: Base, client: docker.DockerClient) -> Iterator[None]:
    """Leave none of the two images of ``base`` behind when the block does not end well."""
    import docker.errors

    try:
        yield
    except BaseException:
        for name in (base.runtime, base.build):
            with contextlib.suppress(docker.errors.APIError):
                client.api.remove_image(name)
        raise


def _way(python: str) -> Way:
    """Return how ``python`` is made here. Raises E_BASE with the reason when it cannot be."""
    row = table.row(python)
    if row is None:
        raise E_BASE(python=python, why=f"s2i knows {', '.join(r.python for r in table.rows())}")
    here = machine.look()
    found = machine.way(python, here)
    if found is not None:
        return found
    if not here.makes:
        raise E_BASE(python=python, why="no registry answers, and to make one takes root on Debian or Ubuntu")
    raise E_BASE(
        python=python, why="no registry answers, no Debian release carries this Python, and pyenv has none here"
    )


def _tools(python: str, say: Say) -> None:
    """Install what makes images out of packages, where it is missing. Raises E_BASE when that cannot be done."""
    from s2i.engines.docker import install

    try:
        if not debian.ready():
            install.refuse_unless_possible()
            install.install(debian.TOOLS, say)
    except S2IError as error:
        raise E_BASE(python=python, why=f"no registry answers, and mmdebstrap is not here: {error.message}") from None


def out_of_reach(image: str) -> bool:
    """Say whether the registry of ``image`` stays silent when the engine asks it. At most REGISTRY_SECONDS.

    An answer that is no is an answer: what it means is better told by whoever pulls.
    """
    import docker.errors
    import requests.exceptions

    from s2i.engines.docker import connection

    try:
        connection.client(timeout=REGISTRY_SECONDS).api.inspect_distribution(image)  # type: ignore[no-untyped-call]
    except requests.exceptions.Timeout:
        return True
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        return "timeout" in str(error).lower()
    return False


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
