"""What a build may start from, and what its image may be called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import APIError

from s2i import shell
from s2i.engines.docker import connection
from s2i.errors import E_BASE, S2IError
from s2i.images import pull
from s2i.images.admission import admit, image_name, settled, tag
from s2i.images.bases import obtain
from s2i.images.events import StepEvent
from s2i.planning.stages import bases
from s2i.wire import Refused


class Images:
    """The images of an engine: name -> ONBUILD; and those that its registry has."""

    def __init__(self, here: dict[str, list[str] | None], there: dict[str, list[str] | None]) -> None:
        self.here, self.there = here, there
        self.rows: list[dict[str, object]] = []  # what the registry says meanwhile

    def get(self, path: str) -> Any:
        name = path.removeprefix("/images/").removesuffix("/json")
        if name not in self.here:
            raise Refused(404, b"no such image")
        return {"Id": f"sha256:{name}", "Config": {"OnBuild": self.here[name], "Labels": None}}

    def pull(self, name: str, *, stream: bool, decode: bool, platform: str | None) -> Iterator[dict[str, object]]:
        assert (stream, decode, platform) == (True, True, None)
        if name not in self.there:
            raise APIError("404", explanation="manifest unknown")
        yield from self.rows
        self.here[name.removesuffix(":latest")] = self.there[name]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what makes an engine that has some images, and a registry that has others."""

    def make(here: dict[str, list[str] | None], there: dict[str, list[str] | None] | None = None) -> Images:
        images = Images(here, there or {})
        monkeypatch.setattr(connection, "client", lambda timeout: SimpleNamespace(api=images))
        monkeypatch.setattr(obtain, "out_of_reach", lambda image: False)
        return images

    return make


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("shop", "shop:latest"),
        ("shop:1.2", "shop:1.2"),
        ("s2i/shop", "s2i/shop:latest"),
        ("registry.example:5000/team/shop:V1", "registry.example:5000/team/shop:V1"),
        ("registry.example:5000/shop", "registry.example:5000/shop:latest"),
    ],
)
def test_a_tag_always_has_a_version(value: str, kept: str) -> None:
    assert tag(value) == kept


@pytest.mark.parametrize(
    "value",
    ["", "Shop", "shop:", ":1", "shop:1:2", "-shop", "shop --push", "shop\n", "shop@sha256:aa", "a" * 300, "s2i/../x"],
)
def test_what_is_no_name_of_an_image_is_refused(value: str) -> None:
    with pytest.raises(S2IError) as caught:
        tag(value)
    assert (caught.value.code, caught.value.exit) == ("E_TAG", 2)


def test_the_names_of_our_base_images_cannot_be_taken() -> None:
    with pytest.raises(S2IError) as caught:
        tag("s2i.local/python:3.13")
    assert (
        str(caught.value) == 'the tag "s2i.local/python:3.13" cannot be used: base images of s2i are called like that'
    )


def test_the_bases_of_a_dockerfile_are_its_images_and_not_its_stages() -> None:
    text = (
        "ARG TAG=1\nFROM --platform=linux/amd64 python:3.13 AS build\n  from python:3.13-slim as Run\n"
        "FROM build\nFROM run\nFROM scratch\nFROM x:$TAG\nFROM python:3.13\n# FROM comment\n"
    )
    assert bases(text) == ("python:3.13", "python:3.13-slim", "x:1")


def test_a_base_that_brings_instructions_of_its_own_is_refused(engine: Any) -> None:
    with pytest.raises(S2IError) as caught:
        admit(engine({"evil:1": ["RUN touch /ONBUILD"]}), "FROM evil:1\n", (), lambda event: None)
    assert (caught.value.code, caught.value.exit) == ("E_BASE_ONBUILD", 3)
    assert str(caught.value).endswith("(ONBUILD): \n  RUN touch /ONBUILD")


def test_a_base_that_has_to_be_pulled_is_pulled_in_sight_and_asked_the_same(engine: Any) -> None:
    told: list[str] = []
    with pytest.raises(S2IError) as caught:
        admit(engine({}, {"evil:latest": ["RUN x"]}), "FROM evil\n", (), lambda event: told.append(event.status))
    assert (caught.value.code, told) == ("E_BASE_ONBUILD", ["started", "done"])


def test_a_pull_tells_how_much_has_come(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "TELL_SECONDS", 0.0)
    world, told = engine({}, {"base:1": None}), list[StepEvent]()
    world.rows = [
        {"status": "Pulling from base", "id": "1"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 2, "total": 10}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 5, "total": 30}},
        {"status": "Download complete", "id": "a", "progressDetail": {}},
        {"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "total": 10}},
    ]
    admit(world, "FROM base:1\n", (), told.append)
    assert [(event.status, event.bytes, event.total) for event in told] == [
        ("started", 0, 0),
        ("progress", 2, 10),
        ("progress", 7, 40),
        ("progress", 15, 40),
        ("progress", 15, 40),
        ("done", 40, 0),
    ]


def test_a_pull_that_fails_on_its_way_is_said(engine: Any) -> None:
    world, told = engine({}, {"base:1": None}), list[StepEvent]()
    world.rows = [{"error": "unexpected EOF"}]
    with pytest.raises(S2IError) as caught:
        admit(world, "FROM base:1\n", (), told.append)
    assert str(caught.value) == "the base image base:1 is not on this machine and cannot be pulled\n  unexpected EOF"
    assert [event.status for event in told] == ["started", "failed"]


def test_a_pull_can_be_cancelled(engine: Any) -> None:
    world, cancelled = engine({}, {"base:1": None}), threading.Event()
    cancelled.set()
    world.rows = [{"status": "Pulling from base", "id": "1"}]
    with pytest.raises(S2IError) as caught:
        admit(world, "FROM base:1\n", (), lambda event: None, cancelled)
    assert (caught.value.code, caught.value.exit, world.here) == ("E_BUILD_CANCELLED", 130, {})


def test_a_base_that_nobody_has_says_what_to_do(engine: Any) -> None:
    with pytest.raises(S2IError) as caught:
        admit(engine({}), "FROM nosuch:1\n", (), lambda event: None)
    assert (caught.value.code, caught.value.exit) == ("E_BASE_MISSING", 6)
    assert str(caught.value) == (
        "the base image nosuch:1 is not on this machine and cannot be pulled\n  manifest unknown"
    )


def test_a_registry_that_stays_silent_is_not_waited_for(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    images = engine({}, {"python:3.12-slim": None})
    monkeypatch.setattr(obtain, "out_of_reach", lambda image: image == "python:3.12-slim")
    with pytest.raises(S2IError) as caught:
        admit(images, "FROM docker.io/library/python:3.12-slim\n", (), lambda event: None)
    assert (caught.value.exit, caught.value.message) == (
        6,
        "the base image docker.io/library/python:3.12-slim is not on this machine,"
        " and its registry does not answer within 4 s",
    )
    assert caught.value.advice == (
        "where it is, `docker save docker.io/library/python:3.12-slim | gzip > base.tgz`; here,"
        " `docker load --input base.tgz`. Or name a mirror of Docker Hub in /etc/docker/daemon.json,"
        ' {"registry-mirrors": ["https://MIRROR"]}, and restart the engine'
    )


def test_a_name_of_ours_that_is_no_base_is_never_looked_for_in_a_registry(engine: Any) -> None:
    there: dict[str, list[str] | None] = {"s2i.local/nosuch:1": None}
    with pytest.raises(S2IError) as caught:
        admit(engine({}, there), "FROM s2i.local/nosuch:1\n", (), lambda event: None)
    assert str(caught.value) == "the base image s2i.local/nosuch:1 is not on this machine"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replace the making of a base: it says one line and does what the test's ``end`` does."""
    world = SimpleNamespace(asked=[], end=lambda: None)

    def make(python: str, say: Any, cancelled: Any) -> None:
        world.asked.append(python)
        say(f"making {python}")
        world.end()

    monkeypatch.setattr(obtain, "make", make)
    return world


@pytest.mark.parametrize("before", [{}, {"s2i.local/python:3.14": None}])
def test_a_base_of_ours_that_is_missing_or_of_an_older_s2i_is_made_in_sight(
    before: Any, made: Any, engine: Any
) -> None:
    fake, told = engine(before), []
    made.end = lambda: fake.here.update({"s2i.local/python:3.14": None})
    admit(fake, "FROM s2i.local/python:3.14\n", (), lambda event: told.append((event.status, event.line)))
    assert made.asked == ["3.14"]
    assert told == [("started", ""), ("log", "making 3.14"), ("done", "")]


def test_a_base_that_cannot_be_made_fails_its_step_with_the_reason(made: Any, engine: Any) -> None:
    def fail() -> None:
        raise E_BASE(python="3.12", why="pyenv has none")

    made.end, told = fail, []
    with pytest.raises(S2IError) as caught:
        admit(engine({}), "FROM s2i.local/python-build:3.12\n", (), lambda event: told.append(event.status))
    assert (caught.value.code, told) == ("E_BASE", ["started", "log", "failed"])


def test_a_build_that_is_cancelled_while_its_base_is_made_is_told_as_cancelled(made: Any, engine: Any) -> None:
    def cancel() -> None:
        raise shell.Cancelled("mmdebstrap")

    made.end = cancel
    with pytest.raises(S2IError) as caught:
        admit(engine({}), "FROM s2i.local/python:3.14\n", (), lambda event: None)
    assert caught.value.code == "E_BUILD_CANCELLED"


def test_an_image_cannot_take_the_name_of_what_it_starts_from(engine: Any) -> None:
    with pytest.raises(S2IError) as caught:
        admit(engine({"python": None}), "FROM python\n", ("docker.io/library/python:latest",), lambda event: None)
    assert caught.value.code == "E_TAG"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("python", "python:latest"),
        ("docker.io/library/python:3", "python:3"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        ("x@sha256:aa", "x@sha256:aa"),
    ],
)
def test_an_image_has_one_spelling(value: str, name: str) -> None:
    assert image_name(value) == name


def test_whatever_the_engine_says_of_a_base_is_one_error() -> None:
    def get(path: str) -> Any:
        raise Refused(400, b'{"message": "invalid reference format"}')

    with pytest.raises(S2IError) as caught:
        admit(SimpleNamespace(get=get), "FROM a:b:c\n", (), lambda event: None)  # type: ignore[arg-type]
    assert str(caught.value) == "the engine knows nothing of the image a:b:c\n  invalid reference format"


@pytest.mark.parametrize("folder", ["/proc/self/fd/8", "//proc", "/app/../dev/fd", "/sys"])
def test_a_folder_of_the_kernel_is_nowhere_to_work(folder: str) -> None:
    with pytest.raises(S2IError) as caught:
        settled({"WorkingDir": folder}, "the image")
    assert caught.value.code == "E_DOCKERFILE"
