"""Builds on a real engine: every fixture answers, every client works, nothing is left behind."""

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
import threading
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from s2i import dirs, sources
from s2i.errors import S2IError
from s2i.images import bases
from s2i.images.clients import BuildClient
from tests.live.conftest import Builds

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"
EXPECTED = {path.parent.name: tomllib.loads(path.read_text()) for path in sorted(FIXTURES.glob("*/expect.toml"))}
SERVING = [name for name, expect in EXPECTED.items() if "status" in expect]
JOBS = [name for name, expect in EXPECTED.items() if "exit" in expect]
CLIENTS = ("best", "buildx", "classic")
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


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_every_client_builds_an_image_that_answers(
    client: BuildClient, builds: Builds, engine: docker.DockerClient, app: Path
) -> None:
    notices: list[sources.Notice] = []
    image = builds(app, client=client, on_notice=notices.append)
    with hardened(engine, image.id) as container:
        assert answer(container, "/") == (200, "Hello from Flask\n")
    assert [notice.code for notice in notices] == (["W_NO_BUILDKIT"] if client.kind == "classic" else [])
    assert engine.images.get(builds.tag).id == image.id
    files = contents(engine, image.id)
    assert [path for path in files if "ca.pem" in path] == []


# Caches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_the_same_source_is_not_built_twice(client: BuildClient, builds: Builds, app: Path) -> None:
    first = builds(app, client=client)
    again = builds(app, client=client)
    assert again.id == first.id
    ran = {name: end for name, end in builds.steps().items() if not name.startswith(("start from", "write"))}
    assert set(ran.values()) == {"cached"}
    assert INSTALL in ran


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_changed_line_runs_only_what_comes_from_the_source(client: BuildClient, builds: Builds, app: Path) -> None:
    first = builds(app, client=client)
    # As long as before, and staged with the same time: only the content tells them apart.
    other = "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=5))
    (app / "app.py").write_text((app / "app.py").read_text().replace("Hello", other))
    second = builds(app, client=client)
    assert second.id != first.id
    ends = builds.steps()
    assert (ends[INSTALL], ends[SOURCE]) == ("cached", "done")


def test_without_cache_every_step_runs(builds: Builds, app: Path) -> None:
    builds(app)
    builds(app, cache=False)
    assert set(builds.steps().values()) == {"done"}


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
    assert {name: value for name, value in labels.items() if not name.startswith("s2i.base")} == {
        "org.opencontainers.image.title": app.name,
        "org.opencontainers.image.revision": commit,
        "org.opencontainers.image.created": "2024-01-02T03:04:05Z",
        "s2i.build": app.name,
    }


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_what_is_private_stays_out_of_the_image(
    client: BuildClient, builds: Builds, engine: docker.DockerClient, app: Path
) -> None:
    canary = f"canary{random.getrandbits(64):x}"
    for path in (".env", "id_rsa", ".git/config", ".netrc", "deep/.env"):
        (app / path).parent.mkdir(exist_ok=True)
        (app / path).write_text(canary)
    (app / "notes.txt").write_text("seen")
    image = builds(app, client=client)
    files = contents(engine, image.id)
    assert "app/notes.txt" in files
    assert [path for path, data in files.items() if canary.encode() in data] == []


@pytest.mark.parametrize("client", ["best", "buildx"], indirect=True)
def test_a_secret_of_a_build_is_in_no_layer_and_no_history(
    client: BuildClient, builds: Builds, engine: docker.DockerClient, tmp_path: Path
) -> None:
    canary = f"canary{random.getrandbits(64):016x}"
    (tmp_path / "token").write_text(canary)
    # A secret is no part of a step's cache key: without a word of its own the step of an earlier run would count.
    read = f"RUN --mount=type=secret,id=token wc -c /run/secrets/token > /size; : {uuid.uuid4().hex}\n"
    source = dockerfile(tmp_path / "source", read)
    image = builds(source, "dockerfile", client=client, secrets=(("token", tmp_path / "token"),))
    files = contents(engine, image.id)
    assert files["size"].split()[0] == str(len(canary)).encode()
    assert [path for path, data in files.items() if canary.encode() in data] == []
    assert canary not in json.dumps(engine.api.history(image.id)) + json.dumps(engine.api.inspect_image(image.id))


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_odd_names_are_in_the_image_byte_for_byte(
    client: BuildClient, builds: Builds, engine: docker.DockerClient, app: Path
) -> None:
    odd = ("a b", "[ab]*", "$HOME", "-n", "quote'\"", "Dockerfile.x", "ünï", "source", "ca.pem")
    for name in odd:
        (app / name).write_text(name)
    files = contents(engine, builds(app, client=client).id)
    assert {name: files.get(f"app/{name}") for name in odd} == {name: name.encode() for name in odd}


def test_an_ignore_file_is_not_applied_twice(builds: Builds, engine: docker.DockerClient, app: Path) -> None:
    (app / ".s2iignore").write_text("*.log\n")
    (app / ".dockerignore").write_text("*.txt\n")  # .s2iignore takes its place
    (app / "a.log").write_text("")
    (app / "a.txt").write_text("")
    files = contents(engine, builds(app).id)
    assert ("app/a.txt" in files, "app/a.log" in files) == (True, False)


# What goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_requirement_that_does_not_exist_is_named_with_its_line(
    client: BuildClient, builds: Builds, app: Path
) -> None:
    (app / "requirements.txt").write_text("flask\ns2i-no-such-package==9.9\n")
    with pytest.raises(S2IError) as caught:
        builds(app, client=client)
    error = caught.value
    assert (error.code, error.exit, error.where) == ("E_BUILD", 5, "requirements.txt:2")
    assert error.message.startswith(
        'the build failed at "Install the dependencies": there is no package called s2i-no-such-package\n'
    )


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


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
@pytest.mark.parametrize(
    ("line", "code", "where"),
    [
        ("RUNN true", "E_BUILD_DOCKERFILE", "Dockerfile:2"),
        ("COPY nothing /x", "E_BUILD_DOCKERFILE", ""),
        ("RUN exit 3", "E_BUILD", ""),
        ("COPY --from=s2i.local/nosuch:1 /x /x", "E_BASE_MISSING", ""),
    ],
)
def test_a_dockerfile_that_cannot_be_built_is_explained(
    client: BuildClient, line: str, code: str, where: str, builds: Builds, tmp_path: Path
) -> None:
    with pytest.raises(S2IError) as caught:
        builds(dockerfile(tmp_path / "source", f"{line}\n"), "dockerfile", client=client)
    assert (caught.value.code, caught.value.where) == (code, where)


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


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_build_that_hangs_is_ended_at_its_limit(client: BuildClient, builds: Builds, tmp_path: Path) -> None:
    sleep = Sleep()
    with pytest.raises(S2IError) as caught:
        builds(dockerfile(tmp_path / "source", sleep.line), "dockerfile", client=client, timeout=4)
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_TIMEOUT", 5)
    assert f'4 s and was ended in "RUN {sleep.command}"' in caught.value.message
    eventually(lambda: not sleep.runs(), 3)


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_cancelled_build_ends_with_everything_that_it_started(
    client: BuildClient, builds: Builds, engine: docker.DockerClient, tmp_path: Path
) -> None:
    sleep, cancelled, caught = Sleep(), threading.Event(), list[S2IError]()
    source = dockerfile(tmp_path / "source", sleep.line)

    def run() -> None:
        try:
            builds(source, "dockerfile", client=client, cancelled=cancelled)
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
    assert engine.images.list(builds.tag) == []


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
    assert sorted(data) == ["digest", "image", "seconds", "size", "steps", "tags", "warnings"]
    assert (data["image"], data["size"]) == (found.id, found.attrs["Size"])
    assert data["tags"] == [builds.tag, f"{builds.tag}-2"]
    assert {"name", "cached", "seconds"} == set(data["steps"][0])
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
    return bases.refresh()[-1].runtime


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
def hardened(engine: docker.DockerClient, image: str) -> Iterator[Any]:
    """Run an image as the platform does: read-only, no capabilities, no root."""
    container = engine.containers.run(
        image, detach=True, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"], user="1001:0", init=True,
        security_opt=["no-new-privileges"], ports={"8080/tcp": ("127.0.0.1", None)},
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
            port = int(container.ports["8080/tcp"][0]["HostPort"])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
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
