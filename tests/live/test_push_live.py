"""Images pushed to a real registry: the digest is the registry's, passwords come from the docker config."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from s2i.errors import S2IError
from s2i.images.events import Image, StepEvent
from s2i.images.push import push
from tests.live.conftest import Builds
from tests.live.registry import PASSWORD, USER, Registry, serving

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry") / "r") as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("guarded") / "r", password=True) as found:
        yield found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a source whose image is one small file."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "notes").write_text(uuid.uuid4().hex)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY notes /notes\n")
    return folder


@pytest.fixture
def image(builds: Builds, source: Path) -> Image:
    return builds(source, "dockerfile")


@pytest.fixture
def named(image: Image, engine: docker.DockerClient, remove_images: list[str]):
    """Return a function that gives the image a name, as a build would have."""

    def name(tag: str) -> Image:
        engine.images.get(image.id).tag(tag)
        remove_images.append(tag)
        return Image(image.id, image.digest, image.size, (tag,), (), 0.0)

    return name


def test_the_command_prints_what_the_registry_has_and_says_it_as_data(
    registry: Registry, source: Path, remove_images: list[str]
) -> None:
    tags = (f"{registry.host}/team/notes:1.0", f"{registry.host}/team/notes:latest")
    remove_images.extend(tags)
    words = ("build", str(source), "--strategy", "dockerfile", "-t", tags[0], "-t", tags[1], "--push")
    done = s2i(*words)
    assert done.returncode == 0, done.stderr
    digest = registry.digest("team/notes", "1.0")
    assert done.stdout == f"{registry.host}/team/notes@{digest}\n"
    assert registry.digest("team/notes", "latest") == digest
    again = json.loads(s2i(*words, "-o", "json").stdout)
    assert (again["digest"], again["pushed"]) == (digest, [f"{registry.host}/team/notes@{digest}"])


def test_a_registry_that_has_every_layer_gets_none(named, registry: Registry) -> None:
    events: list[StepEvent] = []
    found = named(f"{registry.host}/one/twice:1")
    push(found, 60)
    push(found, 60, on_event=events.append)
    assert [(event.status, event.name) for event in events] == [
        ("started", f"push {registry.host}/one/twice:1"),
        ("done", f"push {registry.host}/one/twice:1: the registry has every layer already"),
    ]


def test_the_password_is_taken_from_the_docker_config(
    named, guarded: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    found = named(f"{guarded.host}/team/guarded:1")
    with pytest.raises(S2IError) as caught:
        push(found, 60)
    assert (caught.value.code, caught.value.exit) == ("E_PUSH_DENIED", 6)
    assert f"docker login {guarded.host}" in caught.value.advice
    login(tmp_path, guarded.host, "wrong")
    with pytest.raises(S2IError) as caught:
        push(found, 60)
    assert caught.value.code == "E_PUSH_DENIED"
    login(tmp_path, guarded.host, PASSWORD)
    assert push(found, 60).pushed[0].startswith(f"{guarded.host}/team/guarded@sha256:")


def test_the_password_is_taken_from_a_credential_helper(
    named, guarded: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "docker-credential-test"
    answer = json.dumps({"ServerURL": guarded.host, "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")
    helper.chmod(0o755)
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {guarded.host: "test"}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = named(f"{guarded.host}/team/helped:1")
    assert push(found, 60).pushed[0].startswith(f"{guarded.host}/team/helped@sha256:")
    helper.write_text("#!/bin/sh\necho 'the keyring is locked'\nexit 1\n")
    with pytest.raises(S2IError) as caught:
        push(found, 60)
    assert (caught.value.code, "its credential helper fails" in caught.value.message) == ("E_PUSH_DENIED", True)


def test_a_password_is_in_nothing_that_is_said(
    guarded: Registry, source: Path, tmp_path: Path, remove_images: list[str]
) -> None:
    login(tmp_path, guarded.host, PASSWORD)
    tag = f"{guarded.host}/team/quiet:1"
    remove_images.append(tag)
    words = ("build", str(source), "--strategy", "dockerfile", "-t", tag, "--push", "-o", "json")
    done = s2i(*words, DOCKER_CONFIG=str(tmp_path))
    assert done.returncode == 0, done.stderr
    hidden = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert [word for word in (PASSWORD, hidden) if word in done.stdout + done.stderr] == []


def test_a_host_that_does_not_exist_is_said(named) -> None:
    with pytest.raises(S2IError) as caught:
        push(named("s2i-no-such-host.invalid:5000/a/b:1"), 60)
    assert caught.value.code in ("E_PUSH_HOST", "E_PUSH_LATER")  # a machine without a name server cannot tell


def test_a_registry_that_is_down_is_tried_again_and_is_worth_another_run(named) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    events: list[StepEvent] = []
    with pytest.raises(S2IError) as caught:
        push(named(f"localhost:{port}/a/b:1"), 60, on_event=events.append)
    assert (caught.value.code, caught.value.exit) == ("E_PUSH_LATER", 75)
    assert [event.status for event in events] == ["started", "log", "log", "failed"]


def test_a_registry_without_tls_that_is_not_on_this_machine_is_refused_in_words(named, tmp_path: Path) -> None:
    address = own_address()
    with serving(tmp_path / "open", address="0.0.0.0") as found, pytest.raises(S2IError) as caught:
        push(named(f"{address}:{found.port}/a/b:1"), 60)
    assert caught.value.code == "E_PUSH_TLS"
    assert "insecure-registries" in caught.value.advice


def test_a_push_that_is_cancelled_ends_at_once_and_leaves_no_tag(named, registry: Registry) -> None:
    with Tarpit() as slow:
        found, cancelled = named(f"localhost:{slow.port}/a/stuck:1"), threading.Event()
        caught: list[S2IError] = []

        def run() -> None:
            try:
                push(found, 60, cancelled=cancelled)
            except S2IError as error:
                caught.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert slow.reached.wait(20)
        began = time.monotonic()
        cancelled.set()
        thread.join(10)
        assert ([error.exit for error in caught], time.monotonic() - began < 3) == ([130], True)
    with pytest.raises(urllib.error.HTTPError):
        registry.digest("a/stuck", "1")


def test_a_push_that_hangs_is_ended_at_its_limit(named) -> None:
    with Tarpit() as slow, pytest.raises(S2IError) as caught:
        push(named(f"localhost:{slow.port}/a/hung:1"), 1)
    assert (caught.value.code, "longer than 1 s" in caught.value.message) == ("E_PUSH_LATER", True)


# What the tests above use ------------------------------------------------------------------------------------------


class Tarpit:
    """Something that takes connections and says nothing; ``reached`` when somebody has asked."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.reached = threading.Event()
        self._held: list[socket.socket] = []

    def __enter__(self) -> Tarpit:
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()
        for held in self._held:
            held.close()

    def _take(self) -> None:
        try:
            while True:
                self._held.append(self._socket.accept()[0])
                self.reached.set()
        except OSError:
            return


def login(folder: Path, host: str, password: str) -> None:
    """Write what `docker login` writes."""
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))


def own_address() -> str:
    """Return an address of this machine that is not of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


def s2i(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "s2i", *words), capture_output=True, text=True, timeout=240, cwd=ROOT, check=False,
        env={**os.environ, **env},
    )  # fmt: skip
