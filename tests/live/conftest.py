"""What live tests need: an engine that answers and base images. They are made when they are missing, never skipped."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from s2i import shell, sources
from s2i.engines.docker import connection
from s2i.engines.docker.install import ensure_engine
from s2i.images import bases, clients
from s2i.images.bases import mirror
from s2i.images.build import build
from s2i.images.clients import BuildClient
from s2i.images.events import Image
from s2i.images.request import BuildRequest
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import BuildPlan


@pytest.fixture(scope="session", autouse=True)
def engine() -> docker.DockerClient:
    """Return a client of an engine that answers and has base images, made here when there was none."""
    ensure_engine(print)
    bases.ensure(bases.defaults(), print)
    return connection.client(timeout=120)


@pytest.fixture
def remove_images(engine: docker.DockerClient) -> Iterator[list[str]]:
    """Yield a list: the images whose ids or names are put into it are removed in the end, with their containers."""
    made: list[str] = []
    yield made
    for image in made:
        for container in engine.containers.list(all=True, filters={"ancestor": image}):
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


@pytest.fixture(scope="session")
def buildx(tmp_path_factory: pytest.TempPathFactory, engine: docker.DockerClient) -> BuildClient:
    """Return a buildx: this machine's, else Debian's, unpacked into a folder of its own and installed nowhere."""
    for client in clients.candidates():
        if client.kind == "buildx" and client.progress == "rawjson":
            return client
    folder = tmp_path_factory.mktemp("buildx")
    for path in ("lists/partial", "archives/partial"):
        (folder / path).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={mirror.KEYRING}] {mirror.find().archive} trixie main\n")
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "-"; Dir::State::lists "{folder}/lists";'
        f' Dir::Cache "{folder}"; APT::Sandbox::User "root";\n'
    )
    env = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    for argv in (("apt-get", "update"), ("apt-get", "download", "docker-buildx")):
        done = shell.run(argv, timeout=120, env=env, cwd=folder)
        assert done.code == 0, done.err.decode()
    (package,) = folder.glob("docker-buildx_*.deb")
    assert shell.run(("dpkg", "-x", str(package), str(folder / "x")), timeout=60).code == 0
    (path,) = (folder / "x/usr/libexec/docker/cli-plugins").glob("docker-buildx")
    return BuildClient("buildx", str(path), "0.13.1")


@pytest.fixture
def client(request: pytest.FixtureRequest) -> BuildClient:
    """Return the client that a test's parameter names: "buildx", "classic", or "best": what a person gets here."""
    choose: dict[str, Callable[[], BuildClient]] = {
        "buildx": lambda: request.getfixturevalue("buildx"),
        "classic": lambda: clients.CLASSIC,
        "best": clients.find,
    }
    return choose[request.param]()
