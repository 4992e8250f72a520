"""What live tests need: an engine that answers and base images. They are made when they are missing, never skipped."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import docker
import docker.errors
import pytest

from s2i import shell, sources
from s2i.engines.docker import connection
from s2i.engines.docker.install import ensure_engine
from s2i.images import bases, clients
from s2i.images.build import build
from s2i.images.clients import BuildClient
from s2i.images.events import Image
from s2i.images.request import BuildRequest, PlanRequest
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import BuildPlan
from tests.live import second_engine
from tests.live.second_engine import SecondEngine


@pytest.fixture(scope="session", autouse=True)
def engine() -> docker.DockerClient:
    """Return a client of an engine that answers and has base images, made here when there was none."""
    ensure_engine(print)
    bases.ensure(bases.defaults(), print)
    found = connection.client(timeout=120)
    second_engine.sweep(found)
    return found


@pytest.fixture
def remove_images(engine: docker.DockerClient) -> Iterator[list[str]]:
    """Yield a list: the images whose ids or names are put into it are removed in the end, with their containers."""
    made: list[str] = []
    yield made
    remove(engine, made)


def remove(engine: docker.DockerClient, images: Sequence[str]) -> None:
    """Remove images with their containers."""
    for image in images:
        for container in engine.containers.list(ignore_removed=True, all=True, filters={"ancestor": image}):
            container.remove(force=True, v=True)
        with contextlib.suppress(docker.errors.ImageNotFound):  # two builds of one source gave one image
            engine.api.remove_image(image, force=True)


class Builds:
    """Builds images for a test: its own title and tag, every event kept, all removed in the end."""

    def __init__(self, made: list[str]) -> None:
        self.title = f"t{uuid.uuid4().hex[:10]}"
        self.tag = f"s2i-test/{self.title}:latest"
        self.events: list[Any] = []
        self._made = made

    def __call__(self, folder: Path, strategy: str = "auto", **options: Any) -> Image:
        """Plan and build ``folder``."""
        with sources.fetch(sources.parse(str(folder)), policy=sources.Policy.of(os.environ)) as tree:
            plan = compile_plan(tree, bases.refresh(), strategy)
            return self.planned(tree, plan, **options)

    def planned(self, tree: sources.Tree, plan: BuildPlan, **options: Any) -> Image:
        """Build ``plan``; ``options`` are parameters of build, and else fields of its request."""
        self.events.clear()
        if "platform" in options:
            options["planning"] = PlanRequest(platform=options.pop("platform"))
        given = {name: options.pop(name) for name in ("on_event", "on_notice", "cancelled") if name in options}
        request = BuildRequest(**{"tags": (self.tag,), "title": self.title, **options})
        image = build(tree, plan, request, **{"on_event": self.events.append, **given})
        self._made.append(image.id)
        return image

    def steps(self) -> Mapping[str, str]:
        """Return how each step of the last build ended, by its name."""
        return {event.name: event.status for event in self.events if event.status not in ("started", "log")}


@pytest.fixture
def builds(remove_images: list[str]) -> Builds:
    return Builds(remove_images)


class Installed(NamedTuple):
    """The installed engine, with the face that second engines have: DOCKER_HOST is left as it is for it."""

    host: str = ""
    address: str = "127.0.0.1"

    def client(self) -> docker.DockerClient:
        """Return a client of it."""
        return connection.client(timeout=120)


@pytest.fixture(scope="session")
def installed(engine: docker.DockerClient) -> Installed:
    """Return the engine that the machine has."""
    return Installed()


@pytest.fixture(scope="session")
def second(engine: docker.DockerClient) -> Iterator[SecondEngine]:
    """Return a Docker 28 with a graph driver and the base images of one Python. For builds; others start their own."""
    with SecondEngine(engine) as running:
        running.take(*_of_one_python(engine))
        yield running


@pytest.fixture(scope="session")
def second_containerd(engine: docker.DockerClient) -> Iterator[SecondEngine]:
    """Return a Docker 28 that keeps images in containerd, else as ``second``."""
    with SecondEngine(engine, store="containerd") as running:
        running.take(*_of_one_python(engine))
        yield running


def _of_one_python(engine: docker.DockerClient) -> tuple[str, str]:
    base = next(base for base in bases.refresh(connection.wire()) if base.python == bases.defaults()[0])
    return base.runtime, base.build


@pytest.fixture(scope="session")
def buildx() -> BuildClient:
    """Return the buildx that second engines come with: the newest, whatever this machine has."""
    path = second_engine.buildx()
    version = shell.run((str(path), "version"), timeout=30).out.decode().split()[1]
    return BuildClient("buildx", str(path), version.removeprefix("v"))


@pytest.fixture
def client(request: pytest.FixtureRequest) -> BuildClient:
    """Return the client that a test's parameter names: "buildx", "classic", or "best": what a person gets here."""
    choose: dict[str, Callable[[], BuildClient]] = {
        "buildx": lambda: request.getfixturevalue("buildx"),
        "classic": lambda: clients.CLASSIC,
        "best": clients.find,
    }
    return choose[request.param]()
