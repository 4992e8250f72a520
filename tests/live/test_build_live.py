"""Builds on a real engine: every fixture answers, nothing is left behind. What is true of each builder: test_builders_live.py."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

import s2i as s2i_package
from s2i import dirs
from s2i.errors import S2IError
from s2i.resources.labels import OF_CONTAINERS
from tests.live import second_engine
from tests.live.conftest import Builds

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
EXPECTED = {path.parent.name: tomllib.loads(path.read_text()) for path in sorted(FIXTURES.glob("*/expect.toml"))}
SERVING = [name for name, expect in EXPECTED.items() if "status" in expect]
JOBS = [name for name, expect in EXPECTED.items() if "exit" in expect]
PATIENCE = 30
INSTALL = "Install the dependencies"
SOURCE = "Copy the source, last: it changes most often"


# The fixtures, run as the platform runs them ---------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVING)
def test_a_fixture_is_built_and_answers(name: str, builds: Builds, engine: docker.DockerClient) -> None:
    image = builds(FIXTURES / name / "app")
    with hardened(engine, image.id) as container:
        status, text = answer(container, EXPECTED[name]["path"])
    assert status == EXPECTED[name]["status"]
    assert EXPECTED[name]["text"] in text


@pytest.mark.parametrize("name", JOBS)
def test_a_job_is_built_and_runs_to_its_end(name: str, builds: Builds, engine: docker.DockerClient) -> None:
    image = builds(FIXTURES / name / "app")
    with hardened(engine, image.id) as container:
        assert container.wait(timeout=PATIENCE)["StatusCode"] == EXPECTED[name]["exit"]
        assert EXPECTED[name]["text"] in container.logs().decode()


# Caches ----------------------------------------------------------------------------------------------------------


def test_without_cache_every_step_runs(builds: Builds, app: Path) -> None:
    builds(app)
    builds(app, cache=False)
    # An old engine calls a base that is here cached or done, as it comes.
    ran = {name: end for name, end in builds.steps().items() if not name.startswith("start from")}
    assert set(ran.values()) == {"done"}


# What is in an image, and what is not ------------------------------------------------------------------------------


def test_an_image_says_where_it_comes_from(builds: Builds, engine: docker.DockerClient, app: Path) -> None:
    subprocess.run(("git", "init", "-q", str(app)), check=True)
    who = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    subprocess.run(("git", "-C", str(app), "add", "."), check=True)
    env = {**os.environ, "GIT_COMMITTER_DATE": "2024-01-02T03:04:05Z"}
    subprocess.run(("git", "-C", str(app), *who, "commit", "-qm", "x"), check=True, env=env)
    commit = subprocess.run(
        ("git", "-C", str(app), "rev-parse", "HEAD"), check=True, capture_output=True, text=True
    ).stdout.strip()
    done = s2i("build", str(app), "-t", builds.tag)
    assert done.returncode == 0, done.stderr
    builds._made.append(done.stdout.strip())
    labels = engine.images.get(builds.tag).labels
    base = labels.pop("org.opencontainers.image.base.name")
    assert labels.pop("org.opencontainers.image.base.digest") == engine.images.get(base).id
    assert (labels.pop("s2i.version"), len(labels.pop("s2i.plan"))) == (s2i_package.__version__, 64)
    assert {labels.pop(name) for name in OF_CONTAINERS} == {""}
    assert {name: value for name, value in labels.items() if not name.startswith("s2i.base")} == {
        "org.opencontainers.image.title": app.name,
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.created": "2024-01-02T03:04:05Z",
        "s2i.build": app.name,
    }


def test_an_ignore_file_is_not_applied_twice(builds: Builds, engine: docker.DockerClient, app: Path) -> None:
    (app / ".s2iignore").write_text("*.log\n")
    (app / ".dockerignore").write_text("*.txt\n")  # .s2iignore takes its place
    (app / "a.log").write_text("")
    (app / "a.txt").write_text("")
    files = contents(engine, builds(app).id)
    assert ("app/a.txt" in files, "app/a.log" in files) == (True, False)


# What goes wrong ---------------------------------------------------------------------------------------------------


def test_the_command_says_so_with_exit_5_and_leaves_nothing(app: Path, tmp_path: Path) -> None:
    (app / "requirements.txt").write_text("s2i-no-such-package==9.9\n")
    done = s2i("build", str(app), "-o", "json")
    assert (done.returncode, done.stdout) == (5, "")
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (error["code"], error["found"]) == ("E_BUILD", "requirements.txt:1")
    assert workspaces() == []


def test_a_setup_that_is_no_python_is_shown(builds: Builds, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "bad").mkdir(parents=True)
    (source / "app.py").write_text("def application(environ, start_response): ...\n")
    (source / "requirements.txt").write_text("./bad\n")
    (source / "bad" / "setup.py").write_text('from setuptools import setup\nsetup(name="bad"\n')
    with pytest.raises(S2IError) as caught:
        builds(source)
    assert (caught.value.exit, "SyntaxError: '(' was never closed" in caught.value.message) == (5, True)


def test_a_base_of_ours_that_is_gone_is_said_before_anything_runs(builds: Builds, tmp_path: Path) -> None:
    source = dockerfile(tmp_path / "source", "", "s2i.local/python:2.0")
    with pytest.raises(S2IError) as caught:
        builds(source, "dockerfile")
    assert (caught.value.code, caught.value.exit, builds.events) == ("E_BASE_MISSING", 6, [])


def test_what_a_base_would_bring_into_the_build_never_runs(
    builds: Builds, engine: docker.DockerClient, remove_images: list[str], tmp_path: Path
) -> None:
    text = f"FROM {runtime()}\nONBUILD RUN touch /ONBUILD\n"
    base, _ = engine.images.build(fileobj=io.BytesIO(text.encode()), tag=f"{builds.tag}-base", rm=True)
    remove_images.append(str(base.id))
    with pytest.raises(S2IError) as caught:
        builds(dockerfile(tmp_path / "source", "", f"{builds.tag}-base"), "dockerfile")
    assert (caught.value.code, builds.events) == ("E_BASE_ONBUILD", [])


def test_a_base_behind_a_variable_is_asked_the_same(
    builds: Builds, engine: docker.DockerClient, remove_images: list[str], tmp_path: Path
) -> None:
    text = f"FROM {runtime()}\nONBUILD RUN touch /ONBUILD\n"
    base, _ = engine.images.build(fileobj=io.BytesIO(text.encode()), tag=f"{builds.tag}-behind", rm=True)
    remove_images.append(str(base.id))
    (tmp_path / "Dockerfile").write_text(f"ARG B={builds.tag}-behind\nFROM \\\n $B\n")
    with pytest.raises(S2IError) as caught:
        builds(tmp_path, "dockerfile")
    assert (caught.value.code, builds.events) == ("E_BASE_ONBUILD", [])


def test_a_base_that_works_in_a_folder_of_the_kernel_is_refused(
    builds: Builds, engine: docker.DockerClient, remove_images: list[str], tmp_path: Path
) -> None:
    text = f"FROM {runtime()}\nWORKDIR /proc/self/fd\n"
    base, _ = engine.images.build(fileobj=io.BytesIO(text.encode()), tag=f"{builds.tag}-proc", rm=True)
    remove_images.append(str(base.id))
    with pytest.raises(S2IError) as caught:
        builds(dockerfile(tmp_path / "source", "", f"{builds.tag}-proc"), "dockerfile")
    assert (caught.value.code, builds.events) == ("E_DOCKERFILE", [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_the_command_with_130_and_leaves_nothing(
    number: signal.Signals, builds: Builds, engine: docker.DockerClient, tmp_path: Path
) -> None:
    sleep = Sleep()
    source = dockerfile(tmp_path / "source", sleep.line)
    process = subprocess.Popen(
        (sys.executable, "-m", "s2i", "build", str(source), "--strategy", "dockerfile", "-t", builds.tag),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    try:
        eventually(sleep.runs)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, out, err.splitlines()[-1]) == (130, "", "interrupted")
    eventually(lambda: not sleep.runs(), 3)
    assert workspaces() == []
    assert engine.images.list(builds.tag) == []


# The command -------------------------------------------------------------------------------------------------------


def test_standard_output_is_the_id_and_nothing_else(builds: Builds, engine: docker.DockerClient, app: Path) -> None:
    done = s2i("build", str(app), "-t", builds.tag)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{engine.images.get(builds.tag).id}\n"
    builds._made.append(done.stdout.strip())
    assert "Install the dependencies" in done.stderr


def test_json_holds_the_steps_and_what_they_took(builds: Builds, engine: docker.DockerClient, app: Path) -> None:
    done = s2i("build", str(app), "-t", builds.tag, "-t", f"{builds.tag}-2", "-o", "json")
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    builds._made.append(data["image"])
    found = engine.images.get(builds.tag)
    assert sorted(data) == ["digest", "image", "pushed", "run", "seconds", "size", "steps", "tags", "warnings"]
    assert (data["image"], data["size"]) == (found.id, found.attrs["Size"])
    assert data["tags"] == [builds.tag, f"{builds.tag}-2"]
    assert {"name", "cached", "seconds", "bytes", "failed"} == set(data["steps"][0])
    assert INSTALL in [step["name"] for step in data["steps"]]


def test_an_image_without_a_tag_is_called_after_its_source(
    builds: Builds, engine: docker.DockerClient, app: Path
) -> None:
    done = s2i("build", str(app))
    assert done.returncode == 0, done.stderr
    builds._made.append(done.stdout.strip())
    assert engine.images.get(f"s2i/{app.name}:latest").id == done.stdout.strip()


# What the tests above use ------------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Return a copy of flask-hello under a name of its own."""
    folder = tmp_path / f"app{random.getrandbits(40):x}"
    shutil.copytree(FIXTURES / "flask-hello" / "app", folder)
    return folder


class Sleep:
    """A command that takes long and that can be told from every other process of the machine."""

    def __init__(self) -> None:
        self.command = f"sleep {random.randrange(10**8, 10**9)}"
        self.line = f"RUN {self.command}\n"

    def runs(self) -> bool:
        """Say whether it runs, in whatever container (the engine is on this machine)."""
        words = b"\0".join(word.encode() for word in self.command.split()) + b"\0"
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if path.read_bytes() == words:
                    return True
        return False


def runtime() -> str:
    """Return the name of a small image that is here."""
    return second_engine.base().runtime  # others are offered too, and would be made


def dockerfile(folder: Path, lines: str, base: str = "") -> Path:
    """Make a source that is one Dockerfile: ``lines`` on a base."""
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text(f"FROM {base or runtime()}\n{lines}")
    return folder


def s2i(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (sys.executable, "-m", "s2i", *words), capture_output=True, text=True, timeout=240, cwd=ROOT, check=False
    )


def workspaces() -> list[str]:
    """Return what is left of private folders."""
    return sorted(path.name for path in (dirs.cache() / "work").glob("*"))


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


@contextlib.contextmanager
def hardened(engine: docker.DockerClient, image: str, address: str = "127.0.0.1") -> Iterator[Any]:
    """Run an image as the platform does: read-only, no capabilities, no root; its port is published at ``address``."""
    container = engine.containers.run(
        image, detach=True, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"], user="1001:0", init=True,
        security_opt=["no-new-privileges"], ports={"8080/tcp": (address, None)},
    )  # fmt: skip
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def answer(container: Any, path: str) -> tuple[int, str]:
    """Return the first answer of a container: status and text. Fails with its log when it ends or stays silent."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        container.reload()
        if container.status == "exited":
            break
        with contextlib.suppress(OSError, http.client.HTTPException, IndexError, KeyError, TypeError):
            at = container.ports["8080/tcp"][0]
            connection = http.client.HTTPConnection(at["HostIp"], int(at["HostPort"]), timeout=5)
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        time.sleep(0.05)
    raise AssertionError(f"no answer: {container.logs().decode(errors='replace')}")


def contents(engine: docker.DockerClient, image: str) -> dict[str, bytes]:
    """Return every file of every layer of an image as `docker save` gives them, and its descriptions."""
    found: dict[str, bytes] = {}
    for name, data in unpacked(b"".join(engine.images.get(image).save())).items():
        found[f"save:{name}"] = data = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
        with contextlib.suppress(tarfile.ReadError):
            found.update(unpacked(data))
    return found


def unpacked(data: bytes) -> dict[str, bytes]:
    """Return the files of a tar archive by their names."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = (member for member in archive if member.isfile())
        handles = ((member.name.removeprefix("./"), archive.extractfile(member)) for member in files)
        return {name: handle.read() if handle else b"" for name, handle in handles}
