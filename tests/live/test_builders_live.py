"""The contract of every builder: each driver on each engine builds the same, remembers the same and fails the same.

A row of ENGINES or DRIVERS is all that one more takes. What has nothing to do with the builder is tested once, in
test_build_live.py.
"""

from __future__ import annotations

import json
import random
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import docker
import pytest

from s2i import sources
from s2i.errors import S2IError
from s2i.images import clients
from s2i.images.carried import record, sbom
from s2i.images.clients import BuildClient
from s2i.images.events import Image
from s2i.images.limits import Limits
from s2i.images.runs import shelf
from s2i.images.stock import collect, listing
from s2i.images.stock import remove as collect_remove
from s2i.images.stock.built import built
from s2i.images.stock.layers import layers as layers_of
from s2i.resources import labels
from s2i.resources.secret import Secret
from tests.live import second_engine
from tests.live.conftest import Builds, remove
from tests.live.test_build_live import INSTALL, PATIENCE, SOURCE, Sleep, answer, contents, eventually, hardened
from tests.live.test_build_live import app as app
from tests.live.test_build_live import dockerfile as write_dockerfile
from tests.live.test_build_live import workspaces as workspaces

# What the engine is, and the fixture that has it running (tests/live/conftest.py).
ENGINES = {
    "installed": "installed",
    "28": "second",
    "28-containerd": "second_containerd",
}
# How BuildRequest.client is set. "choice": not at all, so that s2i chooses anew for each build.
DRIVERS: dict[str, Callable[[pytest.FixtureRequest], BuildClient | None]] = {
    "best": lambda request: clients.find(),
    "buildx": lambda request: request.getfixturevalue("buildx"),
    "classic": lambda request: clients.CLASSIC,
    "choice": lambda request: None,
}
WAYS = (
    ("installed", "best"),
    ("installed", "buildx"),
    ("installed", "classic"),
    ("28", "buildx"),
    ("28-containerd", "buildx"),
)
REMEMBERING = (*WAYS, ("installed", "choice"), ("28", "choice"), ("28-containerd", "choice"))
MOUNTING = tuple(way for way in WAYS if way[1] != "classic")
# One of each kind of client and of engine: the limits are set from outside.
LIMITING = (("installed", "best"), ("installed", "classic"), ("28", "buildx"), ("28-containerd", "buildx"))
# Where two builds from nothing give one digest. 20.10 writes the time of the build into the image.
REPEATING = tuple(way for way in WAYS if way[0] != "installed")


class Builder(NamedTuple):
    """An engine with a driver. ``address``: where the ports that its containers publish are reached."""

    engine: docker.DockerClient
    client: BuildClient | None
    address: str


@pytest.fixture
def builder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Builder:
    """Return the builder that a test's parameter names: (engine, driver)."""
    name, driver = request.param
    place = request.getfixturevalue(ENGINES[name])
    if place.host:
        monkeypatch.setenv("DOCKER_HOST", place.host)
    return Builder(place.client(), DRIVERS[driver](request), place.address)


@pytest.fixture
def builds(builder: Builder) -> Iterator[Builds]:
    """Return what builds on the builder's engine."""
    made: list[str] = []
    yield Builds(made)
    remove(builder.engine, made)


def on(ways: tuple[tuple[str, str], ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("builder", ways, indirect=True, ids="-".join)


# What is built ----------------------------------------------------------------------------------------------------


@on(WAYS)
def test_a_builder_makes_an_image_that_answers(builder: Builder, builds: Builds, app: Path) -> None:
    notices: list[sources.Notice] = []
    image = builds(app, client=builder.client, on_notice=notices.append, labels=(("s2i.build", "x"),))
    with hardened(builder.engine, image.id, builder.address) as container:
        assert answer(container, "/") == (200, "Hello from Flask\n")
    classic = builder.client == clients.CLASSIC
    assert [notice.code for notice in notices] == (["W_NO_BUILDKIT"] if classic else [])
    found = builder.engine.images.get(builds.tag)
    assert (found.id, found.labels["s2i.build"]) == (image.id, "x")
    assert {found.labels[name] for name in labels.OF_CONTAINERS} == {""}
    assert found.labels["org.opencontainers.image.title"] == builds.title
    assert [path for path in contents(builder.engine, image.id) if "ca.pem" in path] == []
    # Base and environment, unpacked: what no store counts in another way.
    assert 50_000_000 < image.size < 150_000_000


@on(WAYS)
def test_an_image_has_each_of_its_names(builder: Builder, builds: Builds, tmp_path: Path) -> None:
    source = dockerfile(tmp_path / "source", f"ENV X={uuid.uuid4().hex}\n")
    tags = (builds.tag, f"{builds.tag}-2", f"s2i-test/other-{builds.title}:1")
    image = builds(source, "dockerfile", client=builder.client, tags=tags)
    assert [builder.engine.images.get(tag).id for tag in tags] == [image.id] * 3


@on(WAYS)
def test_odd_names_are_in_the_image_byte_for_byte(builder: Builder, builds: Builds, app: Path) -> None:
    odd = ("a b", "[ab]*", "$HOME", "-n", "quote'\"", "Dockerfile.x", "ünï", "source", "ca.pem")
    for name in odd:
        (app / name).write_text(name)
    files = contents(builder.engine, builds(app, client=builder.client).id)
    assert {name: files.get(f"app/{name}") for name in odd} == {name: name.encode() for name in odd}


# What stays out ---------------------------------------------------------------------------------------------------


@on(WAYS)
def test_what_is_private_stays_out_of_the_image(builder: Builder, builds: Builds, app: Path) -> None:
    canary = f"canary{random.getrandbits(64):x}"
    for path in (".env", "id_rsa", ".git/config", ".netrc", "deep/.env"):
        (app / path).parent.mkdir(exist_ok=True)
        (app / path).write_text(canary)
    (app / "notes.txt").write_text("seen")
    files = contents(builder.engine, builds(app, client=builder.client).id)
    assert "app/notes.txt" in files
    assert [path for path, data in files.items() if canary.encode() in data] == []


@on(MOUNTING)
def test_a_secret_of_a_build_is_in_no_layer_and_no_history(builder: Builder, builds: Builds, tmp_path: Path) -> None:
    canary = f"canary{random.getrandbits(64):016x}"
    read = "RUN --mount=type=secret,id=token wc -c /run/secrets/token > /size\n"
    source = dockerfile(tmp_path / "source", read)
    secrets = (Secret("token", canary.encode()),)
    image = builds(source, "dockerfile", client=builder.client, secrets=secrets)
    files = contents(builder.engine, image.id)
    assert files["size"].split()[0] == str(len(canary)).encode()
    assert [path for path, data in files.items() if canary.encode() in data] == []
    said = (builder.engine.api.history(image.id), builder.engine.api.inspect_image(image.id))
    assert canary not in json.dumps(said)


@on(MOUNTING)
def test_a_step_runs_again_for_another_secret_and_for_another_project(
    builder: Builder, builds: Builds, tmp_path: Path
) -> None:
    cache = f"t{random.getrandbits(40):x}"
    lines = (
        f"RUN --mount=type=secret,id=token --mount=type=cache,id={cache},target=/c"
        " ls /c; cat /run/secrets/token | wc -c; touch /c/poison\n"
    )
    source = dockerfile(tmp_path / "source", lines)

    def built(project: str, secret: str) -> tuple[str, list[str]]:
        given = (Secret("token", secret.encode()),)
        builds(source, "dockerfile", client=builder.client, namespace=project, secrets=given)
        (end,) = [end for name, end in builds.steps().items() if name.startswith("RUN")]
        return end, [event.line for event in builds.events if event.status == "log"]

    assert built("p1", "first") == ("done", ["5"])
    assert built("p1", "first") == ("cached", [])
    assert built("p1", "second") == ("done", ["poison", "6"])
    assert built("p2", "first") == ("done", ["5"])  # neither a result of p1 nor what it left in its cache


# What is remembered ------------------------------------------------------------------------------------------------


@on(REMEMBERING)
def test_the_same_source_is_not_built_twice(builder: Builder, builds: Builds, app: Path) -> None:
    first = builds(app, client=builder.client)
    again = builds(app, client=builder.client)
    assert again.id == first.id
    ran = {name: end for name, end in builds.steps().items() if not name.startswith(("start from", "write"))}
    assert set(ran.values()) == {"cached"}
    assert INSTALL in ran


@on(REMEMBERING)
def test_a_changed_line_runs_only_what_comes_from_the_source(builder: Builder, builds: Builds, app: Path) -> None:
    first = builds(app, client=builder.client)
    below = layers(builder.engine, first)  # a containerd image store forgets an image that loses its name
    # As long as before, and staged with the same time: only the content tells them apart.
    other = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=5))
    (app / "app.py").write_text((app / "app.py").read_text().replace("Hello", other))
    second = builds(app, client=builder.client)
    assert second.id != first.id
    ends = builds.steps()
    assert (ends[INSTALL], ends[SOURCE]) == ("cached", "done")
    same = [a == b for a, b in zip(below, layers(builder.engine, second), strict=False)]
    assert sum(same) >= 2  # the base's, and the environment's


@on(REPEATING)
def test_two_builds_from_nothing_have_one_digest(builder: Builder, builds: Builds, tmp_path: Path) -> None:
    # That the files themselves are the same each time is the plan's part: here are ones that are.
    lines = "RUN mkdir /out && echo x > /out/x && touch -d @0 /out/x /out\n"
    source = dockerfile(tmp_path / "source", f"{lines}FROM {present()}\nCOPY --from=0 /out/ /out/\nCOPY . /app\n")
    made = [builds(source, "dockerfile", client=builder.client, cache=False) for _ in range(2)]
    assert made[0].digest == made[1].digest


@on(REPEATING)
def test_two_builds_of_an_app_from_nothing_have_one_digest(builder: Builder, builds: Builds, app: Path) -> None:
    made = [builds(app, client=builder.client, cache=False) for _ in range(2)]
    assert made[0].digest == made[1].digest
    assert made[0].id == made[1].id


# What an image carries --------------------------------------------------------------------------------------------


@on((("installed", "classic"), ("28", "buildx"), ("28-containerd", "buildx")))
def test_an_image_has_its_papers_is_read_without_being_run_and_goes_when_it_is_superseded(
    builder: Builder, builds: Builds, app: Path
) -> None:
    first = builds(app, client=builder.client, labels=((labels.BUILD, builds.title),))
    papers = record.find(first.id)
    details = listing.details(builder.engine, first.id)
    assert papers is not None
    assert details is not None
    assert papers.changed() == ()
    assert (
        details["Config"]["Labels"][labels.PLAN]
        == papers.statement.predicate.run_details.byproducts[0].digest["sha256"]
    )
    installed = {one["name"] for one in json.loads(sbom.of(builder.engine, details))["components"]}
    assert {"flask", "gunicorn", "libc6", "python"} <= installed
    steps = layers_of(listing.history(builder.engine, first.id), papers.dockerfile(), "")
    assert SOURCE in [layer.step for layer in steps]
    (app / "more.py").write_text("x = 1\n")
    second = builds(app, client=builder.client, labels=((labels.BUILD, builds.title),))
    mine = [one for one in listing.every(builder.engine) if one.label(labels.BUILD) == builds.title]
    verdicts = collect.verdicts(mine, built(), collect.Server(), collect.Policy(keep=0))
    # With the containerd store an image goes with its last name.
    there = listing.details(builder.engine, first.id) is not None
    assert {one.image.id: one.goes for one in verdicts} == {second.id: False} | ({first.id: True} if there else {})
    removed = collect_remove.remove(builder.engine, (one for one in verdicts if one.goes))
    assert [one.image.id for one in removed] == ([first.id] if there else [])
    assert listing.details(builder.engine, first.id) is None
    assert (record.find(first.id) is None) == there
    assert listing.details(builder.engine, second.id) is not None


# What goes wrong ---------------------------------------------------------------------------------------------------


@on(WAYS)
def test_a_requirement_that_does_not_exist_is_named_with_its_line(builder: Builder, builds: Builds, app: Path) -> None:
    (app / "requirements.txt").write_text("flask\ns2i-no-such-package==9.9\n")
    with pytest.raises(S2IError) as caught:
        builds(app, client=builder.client)
    error = caught.value
    assert (error.code, error.exit, error.where) == ("E_BUILD", 5, "requirements.txt:2")
    assert error.message.startswith(
        'the build failed at "Install the dependencies": there is no package called s2i-no-such-package\n'
    )


@on(WAYS)
def test_a_dockerfile_that_cannot_be_built_is_explained(builder: Builder, builds: Builds, tmp_path: Path) -> None:
    rows = {
        "RUNN true": ("E_BUILD_DOCKERFILE", "Dockerfile:2"),
        "COPY nothing /x": ("E_BUILD_DOCKERFILE", ""),
        "RUN exit 3": ("E_BUILD", ""),
        "COPY --from=s2i.local/nosuch:1 /x /x": ("E_BASE_MISSING", ""),
    }
    found = {}
    for number, line in enumerate(rows):
        with pytest.raises(S2IError) as caught:
            builds(dockerfile(tmp_path / str(number), f"{line}\n"), "dockerfile", client=builder.client)
        found[line] = (caught.value.code, caught.value.where)
    assert found == rows


@on(WAYS)
def test_a_build_that_hangs_is_ended_at_its_limit(builder: Builder, builds: Builds, tmp_path: Path) -> None:
    sleep = Sleep()
    with pytest.raises(S2IError) as caught:
        builds(dockerfile(tmp_path / "source", sleep.line), "dockerfile", client=builder.client, timeout=4)
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_TIMEOUT", 5)
    assert f'4 s and was ended in "RUN {sleep.command}"' in caught.value.message
    eventually(lambda: not sleep.runs(), 3)


@on(WAYS)
def test_a_cancelled_build_ends_with_everything_that_it_started(
    builder: Builder, builds: Builds, tmp_path: Path
) -> None:
    sleep, cancelled, caught = Sleep(), threading.Event(), list[S2IError]()
    source = dockerfile(tmp_path / "source", sleep.line)

    def run() -> None:
        try:
            builds(source, "dockerfile", client=builder.client, cancelled=cancelled)
        except S2IError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    eventually(sleep.runs)
    cancelled.set()
    thread.join(PATIENCE)
    assert [(error.code, error.exit) for error in caught] == [("E_BUILD_CANCELLED", 130)]
    eventually(lambda: not sleep.runs(), 3)
    assert workspaces() == []
    assert builder.engine.images.list(builds.tag) == []


@on(LIMITING)
def test_a_step_that_needs_more_memory_than_its_limit_ends_as_that(
    builder: Builder, builds: Builds, tmp_path: Path
) -> None:
    big = 'RUN python3 -c "x = bytearray(200 << 20); import time; time.sleep(1)"\n'
    source = dockerfile(tmp_path / "source", big)
    with pytest.raises(S2IError) as caught:
        builds(source, "dockerfile", client=builder.client, cache=False, limits=Limits(memory=64 << 20))
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_MEMORY", 5)
    assert "it was killed, because it needs more memory than the limit of 64 MB" in caught.value.message
    assert shelf.find().status == "failed"


def present() -> str:
    """Return the name of a small image that the engine has: others are offered too, and would be made."""
    return second_engine.base().runtime


def dockerfile(folder: Path, lines: str) -> Path:
    """Make a source that is one Dockerfile: ``lines`` on a base that is there."""
    return write_dockerfile(folder, lines, present())


def layers(engine: docker.DockerClient, image: Image) -> list[str]:
    """Return the layers of an image, the base's first."""
    return list(engine.images.get(image.id).attrs["RootFS"]["Layers"])
