"""Which client builds. Each test makes small programs that answer like the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i import dirs
from s2i.images import clients
from s2i.images.clients import CLASSIC, BuildClient

pytestmark = pytest.mark.world  # the programs are run

BUILDX_29 = "github.com/docker/buildx v0.29.1 a3d1b4a6b1d4f0f1e6a0"
BUILDX_13 = "github.com/docker/buildx 0.13.1+ds1 0.13.1+ds1-3"
DOCKER_28 = "Docker version 28.2.2, build e6534b4"
DOCKER_20 = "Docker version 20.10.24+dfsg1, build 297e128"
PODMAN = "podman version 4.3.1"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder for programs: PATH is its a and b, its plugins the only folder of plugins."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setattr(clients, "PLUGIN_FOLDERS", (str(tmp_path / "plugins"),))
    monkeypatch.setattr(clients, "SYSTEM_FOLDERS", ())
    return tmp_path


def program(path: Path, says: str, code: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


def test_a_machine_without_clients_has_the_classic_builder(machine: Path) -> None:
    assert clients.find() == CLASSIC
    assert clients.find().loss.startswith("no client here speaks BuildKit")


def test_the_first_docker_on_path_is_passed_over_when_it_needs_a_buildx_that_is_not_there(machine: Path) -> None:
    program(machine / "a" / "docker", DOCKER_28)
    older = program(machine / "b" / "docker", DOCKER_20)
    assert clients.find() == BuildClient("docker", older, "20.10.24")


def test_a_buildx_in_a_plugin_folder_beats_every_docker(machine: Path) -> None:
    program(machine / "a" / "docker", DOCKER_20)
    buildx = program(machine / "plugins" / "docker-buildx", BUILDX_13)
    assert clients.find() == BuildClient("buildx", buildx, "0.13.1")


def test_the_persons_own_plugin_comes_first(machine: Path) -> None:
    program(machine / "plugins" / "docker-buildx", BUILDX_13)
    own = program(machine / "config" / "cli-plugins" / "docker-buildx", BUILDX_29)
    assert clients.find() == BuildClient("buildx", own, "0.29.1")


def test_a_buildx_on_path_is_found(machine: Path) -> None:
    buildx = program(machine / "b" / "docker-buildx", BUILDX_29)
    assert clients.find() == BuildClient("buildx", buildx, "0.29.1")


def test_a_program_that_does_not_work_is_passed_over(machine: Path) -> None:
    program(machine / "config" / "cli-plugins" / "docker-buildx", BUILDX_29, code=126)
    program(machine / "a" / "docker", "cannot execute")
    working = program(machine / "b" / "docker", DOCKER_20)
    assert clients.find() == BuildClient("docker", working, "20.10.24")


def test_podman_under_the_name_of_docker_is_no_client(machine: Path) -> None:
    program(machine / "a" / "docker", PODMAN)
    assert clients.find() == CLASSIC


def test_a_relative_entry_of_path_is_not_searched(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(machine / "here" / "docker", DOCKER_20)
    monkeypatch.chdir(machine / "here")
    monkeypatch.setenv("PATH", ".:")
    assert clients.find() == CLASSIC


def test_one_program_under_two_names_is_asked_once(machine: Path) -> None:
    first = program(machine / "a" / "docker", DOCKER_20)
    (machine / "b").mkdir()
    (machine / "b" / "docker").symlink_to(first)
    assert list(clients.candidates()) == [BuildClient("docker", first, "20.10.24")]


@pytest.mark.parametrize(
    ("client", "progress"),
    [
        (BuildClient("buildx", "x", "0.29.1"), "rawjson"),
        (BuildClient("buildx", "x", "0.13.1"), "rawjson"),
        (BuildClient("buildx", "x", "0.11.2"), "plain"),
        (BuildClient("docker", "x", "20.10.24"), "plain"),
    ],
)
def test_progress_is_asked_for_in_a_form_that_the_client_knows(client: BuildClient, progress: str) -> None:
    assert client.progress == progress


def test_a_program_is_asked_once_and_again_when_it_is_another_file(machine: Path) -> None:
    asked = machine / "asked"
    path = program(machine / "a" / "docker", f"'; echo >> {asked}; echo '{DOCKER_20}")
    assert [clients.find() for _ in range(3)] == [BuildClient("docker", path, "20.10.24")] * 3
    assert asked.read_text() == "\n"
    program(machine / "a" / "docker", DOCKER_28)
    assert clients.find() == CLASSIC


def test_what_a_damaged_memory_of_programs_holds_is_asked_anew(machine: Path) -> None:
    path = program(machine / "a" / "docker", DOCKER_20)
    clients.find()
    (dirs.cache() / clients.ANSWERS).write_text("{")
    assert clients.find() == BuildClient("docker", path, "20.10.24")


def test_podman_gets_the_classic_builder_whatever_clients_there_are() -> None:
    found = clients.find("Libpod/4.3.1 (linux)")
    assert (found.kind, found.loss) == (
        "classic",
        "Podman 4.3.1 has no BuildKit: builds have no caches of downloads, no secrets and no parallel stages;"
        " with Docker they have",
    )
