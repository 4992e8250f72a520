"""The platform on a real engine: deploy, replace, kill, delete, and nothing left behind."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from home import FIXTURES, Home

from s2i import shell


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    # A short path: the kernel takes 107 bytes for a socket's.
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder))
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "flask-hello/app", tmp_path / "hello"))


@pytest.fixture(scope="module")
def engine() -> docker.DockerClient:
    return docker.from_env()


def labelled(engine: docker.DockerClient, server: str) -> dict[str, int]:
    """Count what carries the server's label."""
    filters = {"label": f"s2i.server={server}"}
    return {
        "containers": len(engine.containers.list(ignore_removed=True, all=True, filters=filters)),
        "networks": len(engine.networks.list(filters=filters)),
        "images": len(engine.api.images(filters=filters)),
    }


def test_an_app_is_deployed_and_answers(home: Home, source: Path) -> None:
    url = home.ok("deploy", str(source))
    assert url.startswith("http://hello.default.localhost:")
    assert home.get(url) == (200, "Hello from Flask\n")
    (listed,) = home.data("app", "list")  # type: ignore[misc]
    assert (listed["name"], listed["status"], listed["url"]) == ("hello", "ready", url)
    assert "Listening at" in home.ok("app", "logs", "hello")
    (run,) = (one for one in home.data("buildrun", "list", "--project", "default") if one["title"] == "hello")
    assert (run["status"], "Install the dependencies" in home.ok("buildrun", "logs", run["id"])) == ("done", True)


def test_a_new_version_replaces_the_old_without_a_failed_request(home: Home, source: Path) -> None:
    url = home.ok("deploy", str(source), "--name", "swap")
    failures: list[object] = []
    count = 0
    ended = threading.Event()

    def ask() -> None:
        nonlocal count
        while not ended.is_set():
            try:
                status, _ = home.get(url)
                if status != 200:
                    failures.append(status)
            except (OSError, http.client.HTTPException) as error:
                failures.append(error)
            count += 1

    client = threading.Thread(target=ask)
    client.start()
    for number in range(3):
        program = source / "app.py"
        program.write_text(program.read_text().replace("Hello", f"Hello {number},"))
        assert home.ok("deploy", str(source), "--name", "swap") == url
    ended.set()
    client.join()
    assert failures == []
    assert count > 100
    assert home.get(url)[1].startswith("Hello 2,")


def test_a_version_that_does_not_come_up_leaves_the_old_one_serving(home: Home, source: Path) -> None:
    url = home.ok("deploy", str(source), "--name", "steady")
    (source / "app.py").write_text((source / "app.py").read_text() + "\nraise RuntimeError('no database')\n")
    unproven = home.run("deploy", str(source), "--name", "steady")
    assert (unproven.returncode, unproven.stdout) == (5, "")
    assert "error: app.py:10: the image is built, but it is not proven: importing app:app raises" in unproven.stderr
    assert home.get(url) == (200, "Hello from Flask\n")
    failed = home.run("deploy", str(source), "--name", "steady", "--no-prove")
    assert failed.returncode == 6
    assert failed.stdout == ""
    assert "revision 3 of steady did not come up: it ended with an error before it answered (app.py:" in failed.stderr
    assert "RuntimeError: no database" in failed.stderr
    assert home.get(url) == (200, "Hello from Flask\n")
    shown = home.data("app", "get", "steady")
    assert isinstance(shown, dict)
    assert [one["status"] for one in shown["revisions"]] == ["serving", "failed", "failed"]


def test_a_killed_server_is_followed_by_one_that_takes_everything_up(
    home: Home, source: Path, engine: docker.DockerClient
) -> None:
    url = home.ok("deploy", str(source), "--name", "adopted")
    server = str(home.server()["id"])

    def running() -> set[str]:
        found = engine.containers.list(ignore_removed=True, filters={"label": f"s2i.server={server}"})
        return {one.id for one in found if one.labels["s2i.role"] != "proof"}  # those of a proof go by themselves

    before = running()
    caddy = (home.folder / "run" / "caddy.pid").read_text()
    home.kill_server()
    assert home.get(url)[0] == 200
    began = time.monotonic()
    home.ok("app", "list")
    assert time.monotonic() - began < 5
    time.sleep(1.5)
    assert running() == before
    assert (home.folder / "run" / "caddy.pid").read_text() == caddy
    assert home.get(url)[0] == 200


def test_a_killed_router_is_back_within_5_seconds(home: Home, source: Path) -> None:
    url = home.ok("deploy", str(source), "--name", "routed")
    os.kill(int((home.folder / "run" / "caddy.pid").read_text()), signal.SIGKILL)
    assert home.answer_within(url, 5) == "Hello from Flask\n"


def test_a_crash_of_what_serves_is_a_wait_and_no_failure(home: Home, source: Path, engine: docker.DockerClient) -> None:
    url = home.ok("deploy", str(source), "--name", "crash")
    server = str(home.server()["id"])
    engine.containers.get(f"s2i-{server}.default.crash.r1-0").kill()
    assert home.get(url) == (200, "Hello from Flask\n")


def test_a_version_that_ends_soon_after_it_took_over_gives_way_to_the_one_before(home: Home, source: Path) -> None:
    url = home.ok("deploy", str(source), "--name", "hasty")
    home.ok("app", "scale", "hasty", "--min-scale", "1")
    dies = "import os, threading, sys\n\n\ndef die():\n    print('out of patience', file=sys.stderr, flush=True)\n"
    dies += "    os.kill(os.getppid(), 9)\n    os._exit(1)\n\n\nthreading.Timer(4, die).start()\n"
    program = (source / "app.py").read_text()
    (source / "app.py").write_text(dies + program.replace("Hello from Flask", "Hello, in haste"))
    home.ok("deploy", str(source), "--name", "hasty", "--no-prove")
    assert home.get(url) == (200, "Hello, in haste\n")
    said = []
    until = time.monotonic() + 30
    while said[-1:] != ["Hello from Flask\n"] and time.monotonic() < until:
        status, text = home.get(url)  # none fails: one that comes in between waits
        assert status == 200
        said.append(text)
        time.sleep(0.2)
    shown = home.data("app", "get", "hasty")
    assert [one["status"] for one in shown["revisions"]] == ["serving", "failed"]
    assert (shown["revision"], shown["fallback"]) == (1, 0)
    assert "out of patience" in shown["reason"]
    time.sleep(1)
    assert home.get(url) == (200, "Hello from Flask\n")


def test_a_job_gives_its_exit_code_and_its_log_is_kept(home: Home, tmp_path: Path, engine: docker.DockerClient) -> None:
    (tmp_path / "good.py").write_text("print('42 rows')\n")
    out = home.ok("deploy", str(tmp_path), "--name", "good")
    assert out == "42 rows\ngood-1: succeeded, exit code 0"
    (tmp_path / "good.py").unlink()
    (tmp_path / "bad.py").write_text("import sys\nprint('half of it')\nsys.exit(3)\n")
    failed = home.run("deploy", str(tmp_path), "--name", "bad")
    assert (failed.returncode, failed.stdout) == (6, "half of it\nbad-1: failed, exit code 3\n")
    server = str(home.server()["id"])
    until = time.monotonic() + 10
    filters = {"label": [f"s2i.server={server}", "s2i.role=task"]}
    while engine.containers.list(ignore_removed=True, all=True, filters=filters) and time.monotonic() < until:
        time.sleep(0.1)
    assert engine.containers.list(ignore_removed=True, all=True, filters=filters) == []
    assert home.ok("jobrun", "logs", "bad-1") == "half of it"
    shown = home.data("jobrun", "get", "bad-1")
    assert isinstance(shown, dict)
    assert (shown["status"], shown["exit"], shown["reason"]) == ("failed", 3, "exit code 3")


def test_a_job_that_ends_while_the_server_is_dead_is_not_run_again(home: Home, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("import time\nprint('once', flush=True)\ntime.sleep(3)\n")
    home.ok("deploy", str(tmp_path), "--name", "slow", "--no-wait")
    until = time.monotonic() + 60
    while time.monotonic() < until and not [
        one
        for one in home.data("jobrun", "list")  # type: ignore[attr-defined]
        if one["name"] == "slow-1" and one["status"] == "running"
    ]:
        time.sleep(0.1)
    home.kill_server()
    time.sleep(4)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        shown = home.data("jobrun", "get", "slow-1")
        assert isinstance(shown, dict)
        if shown["status"] != "running":
            break
        time.sleep(0.1)
    assert (shown["status"], shown["exit"]) == ("succeeded", 0)
    assert home.ok("jobrun", "logs", "slow-1") == "once"


def test_ctrl_c_in_a_build_cancels_it_and_leaves_nothing(home: Home, source: Path) -> None:
    # A name that pip looks for in vain would end too soon: this one takes seconds to install.
    (source / "requirements.txt").write_text("flask\nscipy\npandas\n")
    argv = (sys.executable, "-m", "s2i", "deploy", str(source), "--name", "stopped")
    process = subprocess.Popen(
        argv, env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("plan"):
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (130, "interrupted")
    assert [one["name"] for one in home.data("app", "list") if one["name"] == "stopped"] == []  # type: ignore[attr-defined]
    assert list((home.folder / "cache" / "work").iterdir()) == []


def test_a_deleted_app_leaves_no_container_image_or_route(
    home: Home, source: Path, engine: docker.DockerClient
) -> None:
    server = str(home.server()["id"])
    url = home.ok("deploy", str(source), "--name", "gone", "--env", "GONE=1")
    (source / "extra.py").write_text("X = 1\n")
    home.ok("deploy", str(source), "--name", "gone")
    assert home.ok("app", "delete", "gone", "--yes") == "deleted gone"
    filters = {"label": [f"s2i.server={server}", "s2i.app=gone"]}
    assert engine.containers.list(ignore_removed=True, all=True, filters=filters) == []
    assert engine.api.images(filters=filters) == []
    assert home.get(url)[0] == 404
    assert home.run("app", "get", "gone").returncode == 2


def servers_of(folder: str) -> list[str]:
    """Return the servers of a home that run, whoever started them."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"S2I_HOME={folder}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append((place / "cmdline").read_text().replace("\0", " "))
    return [one for one in found if "server run" in one]


def test_two_clients_at_once_start_one_server() -> None:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        other = Home(Path(folder))
        outputs: list[str] = []
        threads = [threading.Thread(target=lambda: outputs.append(other.ok("server", "start"))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(outputs)) == 1
        assert len(outputs) == 3
        assert other.ok("server", "stop") == "the server has ended; 0 apps are left running, unrouted"
        assert servers_of(folder) == [], "one that came too late has begun"


def test_stop_with_all_leaves_nothing_with_our_label(source: Path, engine: docker.DockerClient) -> None:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        other = Home(Path(folder))
        other.ok("deploy", str(source))
        server, pid = (str(other.server()[key]) for key in ("id", "pid"))
        assert all(labelled(engine, server).values())
        said = other.ok("server", "stop", "--all", "--yes")
        assert said.startswith("removed 1 app, 0 jobs, 2 containers, 1 network, 1 image")
        assert labelled(engine, server) == {"containers": 0, "networks": 0, "images": 0}
        assert not shell.alive(int(pid))
        assert not (Path(folder) / "run" / "s2i.sock").exists()
        assert other.run("server", "status").returncode == 6
