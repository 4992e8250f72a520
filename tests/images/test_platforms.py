"""For which processor an image is wanted, and what is said when it cannot be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from s2i.errors import S2IError
from s2i.images import admission, command, platforms
from s2i.images.bases import table
from s2i.images.clients import CLASSIC, BuildClient

DOCKER = BuildClient("docker", "/usr/bin/docker", "20.10.24")


@pytest.mark.parametrize(
    ("given", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("LINUX/ARM64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm"),
        ("linux/arm/v6", "linux/arm/v6"),
    ],
)
def test_a_platform_has_one_spelling(given: str, platform: str) -> None:
    assert platforms.parse(given) == platform


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("arm64", "there is no such platform"),
        ("linux/arm65", "there is no such platform"),
        ("linux/amd64 --privileged", "there is no such platform"),
        ("linux/amd64\n", "there is no such platform"),
        ("windows/amd64", "images of s2i are for Linux"),
        ("linux/amd64,linux/arm64", "an engine's image is for one platform"),
    ],
)
def test_what_is_no_platform_is_refused_with_exit_2(given: str, why: str) -> None:
    with pytest.raises(S2IError) as caught:
        platforms.parse(given)
    assert (caught.value.code, caught.value.exit, caught.value.facts["why"]) == ("E_PLATFORM", 2, why)


def test_two_platforms_are_joined_by_a_command_that_is_named() -> None:
    with pytest.raises(S2IError) as caught:
        platforms.parse("linux/amd64,linux/arm64")
    assert "docker buildx imagetools create" in caught.value.advice


def test_the_platform_goes_to_a_client_that_speaks_buildkit() -> None:
    order = command.Order(
        context=Path("/c"), dockerfile=Path("/d"), iidfile=Path("/i"), platform="linux/arm64"
    )  # fmt: skip
    assert "--platform=linux/arm64" in command.argv(DOCKER, order)
    assert [
        w
        for w in command.argv(DOCKER, command.Order(context=Path("/c"), dockerfile=Path("/d"), iidfile=Path("/i")))
        if "platform" in w
    ] == []


def test_the_classic_builder_is_refused() -> None:
    platforms.check_client(CLASSIC, "")
    platforms.check_client(DOCKER, "linux/arm64")
    with pytest.raises(S2IError) as caught:
        platforms.check_client(CLASSIC, "linux/arm64")
    assert caught.value.code == "E_PLATFORM"


def test_an_image_for_another_platform_than_was_asked_for_is_refused() -> None:
    platforms.check({"Os": "linux", "Architecture": "amd64"}, "")
    platforms.check({"Os": "linux", "Architecture": "arm64", "Variant": "v8"}, "linux/arm64")
    with pytest.raises(S2IError) as caught:
        platforms.check({"Os": "linux", "Architecture": "amd64"}, "linux/arm64")
    assert str(caught.value) == (
        'the build failed at "write the image": the image is for linux/amd64, not for linux/arm64'
    )


class Engine:
    """Has the images that it is given, by name."""

    def __init__(self, images: dict[str, dict[str, Any]]) -> None:
        self.images = images

    def get(self, path: str) -> dict[str, Any]:
        return self.images[path.removeprefix("/images/").removesuffix("/json")]


def test_a_base_of_this_machine_is_not_taken_for_another_processors() -> None:
    labels = {"s2i.base.recipe": table.RECIPE}
    ours = {"Id": "sha256:1", "Architecture": "amd64", "Config": {"Labels": labels}}
    engine: Any = Engine({"s2i.local/python:3.13": ours})
    text = "FROM s2i.local/python:3.13\n"
    assert admission.admit(engine, text, (), print, None, "linux/amd64") == {"s2i.local/python:3.13": "sha256:1"}
    with pytest.raises(S2IError) as caught:
        admission.admit(engine, text, (), print, None, "linux/arm64")
    assert (caught.value.code, caught.value.exit) == ("E_BASE_PLATFORM", 6)
    assert caught.value.message == "the base image s2i.local/python:3.13 is for linux/amd64, not for linux/arm64"


def test_a_base_of_a_registry_is_pulled_for_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine({"python:3.13-slim": {"Id": "sha256:1", "Architecture": "amd64", "Config": {}}})
    asked = []

    def pull(image: str, on_event: object, cancelled: object, platform: str) -> None:
        asked.append((image, platform))
        engine.images[image] = {"Id": "sha256:2", "Architecture": "arm64", "Config": {}}

    monkeypatch.setattr(admission, "_pulled", pull)
    given: Any = engine
    found = admission.admit(given, "FROM python:3.13-slim\n", (), print, None, "linux/arm64")
    assert (found, asked) == ({"python:3.13-slim": "sha256:2"}, [("python:3.13-slim", "linux/arm64")])


def test_a_program_of_another_processor_is_named_with_what_lets_it_run() -> None:
    lines = ("before", "standard_init_linux.go:228: exec user process caused: exec format error")
    with pytest.raises(S2IError) as caught:
        platforms.explain("Install the dependencies", lines, "linux/arm64")
    error = caught.value
    assert (error.code, error.exit) == ("E_BUILD_PLATFORM", 5)
    assert error.message == (
        'the build failed at "Install the dependencies": '
        "the kernel of this machine cannot run programs made for linux/arm64"
    )
    assert "binfmt" in error.advice


@pytest.mark.parametrize(("line", "platform"), [("exec format error", ""), ("no such file", "linux/arm64")])
def test_other_failures_are_left_to_who_explains_them(line: str, platform: str) -> None:
    platforms.explain("Install", (line,), platform)
