"""The Docker Engine against the contract, and what a container can and cannot do."""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator

import docker
import msgspec
import pytest
from docker.models.containers import Container

from s2i.engines.docker import connection
from s2i.engines.docker.engine import RUNTIME_BASE, DockerEngine
from s2i.engines.docker.hardening import Declared
from s2i.engines.engine import Keep, Line, Owner, Workload
from s2i.errors import S2IError
from s2i.resources import labels
from s2i.resources.app import Config
from tests.engines.contract import APP, TASK, EngineContract, Subject, said

PATIENCE = 20  # seconds until a container has done what it will do

SERVE = ("sh", "-c", "echo hello; trap 'exit 3' USR1; while :; do sleep 0.05; done")

PROBE = """
import json, os, urllib.request
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
def can(path, mode="w"):
    try:
        open(path, mode).close()
        return True
    except OSError:
        return False
mounts = {line.split()[1]: line.split()[3].split(",") for line in open("/proc/mounts")}
setuid = [os.path.join(d, f) for top in ("/bin", "/sbin", "/usr") for d, _, fs in os.walk(top) for f in fs
          if os.lstat(os.path.join(d, f)).st_mode & 0o6000 and not os.path.islink(os.path.join(d, f))]
print(json.dumps({
    "uid": os.getuid(), "gid": os.getgid(),
    "cap": int(status["CapEff"], 16), "bounding": int(status["CapBnd"], 16), "nnp": status["NoNewPrivs"],
    "seccomp": status["Seccomp"], "root": "ro" in mounts["/"], "write_root": can("/x"), "write_tmp": can("/tmp/x"),
    "tmp": sorted({"noexec", "nosuid", "nodev"} & set(mounts["/tmp"])), "init": open("/proc/1/comm").read().strip(),
    "socket": os.path.exists("/var/run/docker.sock"), "home": os.environ["HOME"], "port": os.environ["PORT"],
    "odd": os.environ["ODD"],
}))
"""


class _DockerSubject:
    command = SERVE

    def __init__(self) -> None:
        self.server = f"t{uuid.uuid4().hex[:10]}"
        self.kept: list[tuple[Owner, str, list[Line]]] = []
        keep: Keep = lambda owner, container, lines: self.kept.append((owner, container, [*lines]))  # noqa: E731
        self.engine = DockerEngine(self.server, keep=keep)
        self.client = connection.client()
        self.image = _runtime(self.client)

    def finish(self, owner: Owner) -> None:
        role = "task" if owner.kind == "job" else "instance"
        self._container(owner, role).kill("SIGUSR1")

    def lose_sandbox(self, owner: Owner) -> None:
        self._container(owner, "sandbox").kill()

    def eventually(self, condition: Callable[[], bool]) -> None:
        _eventually(condition)

    def _container(self, owner: Owner, role: str) -> docker.models.containers.Container:
        (found,) = (one.id for one in self.engine.observe() if (one.owner, one.role) == (owner, role))
        return self.client.containers.get(found)


@pytest.fixture
def docker_subject() -> Iterator[_DockerSubject]:
    subject = _DockerSubject()
    yield subject
    subject.engine.remove_all(volumes=True)


class TestDockerEngine(EngineContract):
    @pytest.fixture
    def subject(self, docker_subject: _DockerSubject) -> Subject:
        return docker_subject

    def test_a_sandbox_left_without_its_instance_is_used(self, docker_subject: _DockerSubject) -> None:
        engine, work = docker_subject.engine, self.work(docker_subject, APP)
        address = engine.start_instance(work)
        engine.remove(self.one(engine, APP, "instance").id)
        box = self.one(engine, APP, "sandbox").id
        assert address == engine.start_instance(work)
        assert box == self.one(engine, APP, "sandbox").id

    def test_a_sandbox_that_was_made_and_never_started_is_started(self, docker_subject: _DockerSubject) -> None:
        engine, work = docker_subject.engine, self.work(docker_subject, APP)
        engine._create("sandbox", work, docker_subject.image, engine._network("shop"), Declared())
        assert engine.start_instance(work).endswith(":8080")

    def test_an_instance_in_a_sandbox_that_was_restarted_is_made_anew(self, docker_subject: _DockerSubject) -> None:
        engine, work = docker_subject.engine, self.work(docker_subject, APP)
        engine.start_instance(work)
        before = self.one(engine, APP, "instance").id
        docker_subject._container(APP, "sandbox").restart(timeout=0)
        engine.start_instance(work)
        assert before != self.one(engine, APP, "instance").id

    def test_a_command_that_is_not_there_is_named_in_the_log(self, docker_subject: _DockerSubject) -> None:
        engine = docker_subject.engine
        engine.start_task(Workload(TASK, docker_subject.image, Config(command=("no-such-program",))))
        _eventually(lambda: self.one(engine, TASK, "task").exit == 127)
        assert b"exec no-such-program failed" in b"".join(said(engine, self.one(engine, TASK, "task").id))

    def test_it_says_when_a_container_of_ours_has_ended_and_of_nobody_elses(
        self, docker_subject: _DockerSubject
    ) -> None:
        told: queue.SimpleQueue[float] = queue.SimpleQueue()

        def listen() -> None:
            for _ in docker_subject.engine.changes():
                told.put(time.monotonic())

        threading.Thread(target=listen, daemon=True).start()
        told.get(timeout=PATIENCE)
        time.sleep(0.3)  # until it is heard
        other = _DockerSubject()
        try:
            other.engine.start_instance(self.work(other, APP))
            assert told.empty()
        finally:
            other.engine.remove_all()
        docker_subject.engine.start_instance(self.work(docker_subject, APP))
        while not told.empty():
            told.get()
        docker_subject.finish(APP)
        told.get(timeout=PATIENCE)

    def test_connections_are_counted(self, docker_subject: _DockerSubject) -> None:
        work = self.work(docker_subject, APP)
        serve = ("python3", "-m", "http.server", "8080")
        address = docker_subject.engine.start_instance(
            msgspec.structs.replace(work, config=msgspec.structs.replace(work.config, command=serve))
        )
        host, _, port = address.partition(":")

        def connects() -> bool:
            with contextlib.suppress(OSError):
                socket.create_connection((host, int(port)), 1).close()
                return True
            return False

        docker_subject.eventually(connects)
        before = docker_subject.engine.accepted(APP)
        assert before
        for _ in range(3):
            assert connects()
        assert docker_subject.engine.accepted(APP) == before + 3

    def test_what_listens_is_seen(self, docker_subject: _DockerSubject) -> None:
        command = ("python3", "-m", "http.server", "8123")
        docker_subject.engine.start_instance(Workload(APP, docker_subject.image, Config(command=command)))
        _eventually(lambda: docker_subject.engine.listening(APP) == (("0.0.0.0", 8123),))

    def test_a_container_of_another_server_is_left_alone(self, docker_subject: _DockerSubject) -> None:
        other = _DockerSubject()
        docker_subject.engine.start_task(self.work(docker_subject, TASK))
        task = self.one(docker_subject.engine, TASK, "task").id
        assert other.engine.observe() == ()
        assert other.engine.remove_all() == {"containers": 0, "networks": 0, "images": 0}
        with pytest.raises(S2IError, match="was not made by this s2i server"):
            other.engine.remove(task)
        assert self.one(docker_subject.engine, TASK, "task").state == "running"

    def test_all_that_is_made_carries_the_labels(self, docker_subject: _DockerSubject) -> None:
        docker_subject.engine.start_instance(self.work(docker_subject, APP))
        docker_subject.engine.start_task(self.work(docker_subject, TASK))
        mine = {"label": f"{labels.SERVER}={docker_subject.server}"}
        for container in docker_subject.client.containers.list(ignore_removed=True, all=True, filters=mine):
            assert container.labels[labels.PROJECT] == "shop"
            assert container.labels.get(labels.APP) == "web" or container.labels.get(labels.JOB) == "report"
            # The names of neighbours, to be read; nobody can ask for anything of this machine (THREATS T42).
            assert _mounts(container) <= {("bind", "/etc/hosts", False)}
            assert not container.attrs["HostConfig"]["Binds"]
        (network,) = docker_subject.client.networks.list(filters=mine)
        assert network.attrs["Labels"][labels.PROJECT] == "shop"


def test_images_are_removed_by_label_but_not_those_that_somebody_has_named(docker_subject: _DockerSubject) -> None:
    api, engine = docker_subject.client.api, docker_subject.engine
    stamp = uuid.uuid4().hex  # an image of the same content would be the same image
    named = f"s2i-test/{docker_subject.server}"

    def made(server: str, number: int, name: str | None = None) -> str:
        labelled = [f"LABEL {labels.SERVER}={server} {labels.PROJECT}=shop stamp={stamp}{number}"]
        said = api.import_image_from_data(b"\0" * 1024, repository=name, changes=labelled)
        return str(json.loads(said)["status"])

    ours, anothers = made(docker_subject.server, 1), made("another", 2)
    made(docker_subject.server, 3, named)
    try:
        assert engine.remove_all()["images"] == 1
        assert not engine.image_exists(ours)
        assert engine.image_exists(anothers)
        assert engine.image_exists(named)
    finally:
        for image in (anothers, named):
            api.remove_image(image, force=True)


def _mounts(container: Container) -> set[tuple[str, str, bool]]:
    return {(one["Type"], one["Destination"], one["RW"]) for one in container.attrs["Mounts"]}


def test_an_image_that_declares_volumes_gets_none(docker_subject: _DockerSubject) -> None:
    """An anonymous volume would be a way to fill the disk, and would stay behind."""
    client, engine = docker_subject.client, docker_subject.engine
    tag = f"s2i-test/{docker_subject.server}"
    box = client.api.create_container(docker_subject.image, command=["true"])
    client.api.commit(box["Id"], repository=tag, changes='VOLUME ["/data"]', conf={})
    client.api.remove_container(box["Id"])
    try:
        show = "print(*(line for line in open('/proc/mounts') if ' /data ' in line))"
        engine.start_task(Workload(TASK, tag, Config(command=("python3", "-c", show))))
        (task,) = (one.id for one in engine.observe())
        assert b"\n".join(said(engine, task, follow=True)).startswith(b"tmpfs /data tmpfs rw,nosuid,nodev,noexec")
        assert _mounts(client.containers.get(task)) <= {("bind", "/etc/hosts", False)}
        engine.remove_all()
    finally:
        client.api.remove_image(tag, force=True)


def test_a_container_is_confined(docker_subject: _DockerSubject) -> None:
    """THREATS T41, T48."""
    odd = "a\nB=c 'd' \"é"
    result = _run(docker_subject, ("python3", "-c", PROBE), env=(("ODD", odd),))
    assert {
        "uid": 1001,
        "gid": 0,
        "cap": 0,
        "bounding": 0,
        "nnp": "1",
        "seccomp": "2",
        "root": True,
        "write_root": False,
        "write_tmp": True,
        "tmp": ["nodev", "noexec", "nosuid"],
        "init": "docker-init",
        "socket": False,
        "home": "/tmp",
        "port": "8080",
        "odd": odd,
    } == json.loads(result)


def test_memory_past_the_limit_is_seen_as_such(docker_subject: _DockerSubject) -> None:
    """THREATS T46."""
    engine = docker_subject.engine
    command = ("python3", "-c", "x = b'x' * (200 << 20)")
    engine.start_task(Workload(TASK, docker_subject.image, Config(command=command, memory=64 << 20)))
    _eventually(lambda: engine.observe()[0].state == "exited")
    assert (engine.observe()[0].exit, engine.observe()[0].oom) == (137, True)


def test_scratch_space_is_bounded(docker_subject: _DockerSubject) -> None:
    """THREATS T47."""
    fill = "import shutil; print(shutil.disk_usage('/tmp').total >> 20)"
    assert _run(docker_subject, ("python3", "-c", fill), memory=64 << 20) == "32\n"


def test_another_project_cannot_be_reached(docker_subject: _DockerSubject) -> None:
    """THREATS T44: by address a time-out, by name nothing; within the project an answer."""
    serve = ("python3", "-m", "http.server", "8080", "--directory", "/tmp")
    address = docker_subject.engine.start_instance(Workload(APP, docker_subject.image, Config(command=serve)))
    _eventually(lambda: docker_subject.engine.listening(APP) == (("0.0.0.0", 8080),))
    ask = (
        "import sys, urllib.request\n"
        "for host in sys.argv[1:]:\n"
        "    try: print(urllib.request.urlopen(f'http://{host}/', timeout=1).status)\n"
        "    except OSError as error: print(type(error).__name__)\n"
    )
    command = ("python3", "-c", ask, address, "r1-0.web:8080")
    assert _run(docker_subject, command) == "200\n200\n"
    far = Owner("other", "job", "report", run="report-2", instance="0")
    assert "200" not in _run(docker_subject, command, owner=far)


def _run(
    subject: _DockerSubject,
    command: tuple[str, ...],
    *,
    env: tuple[tuple[str, str], ...] = (),
    memory: int = 128 << 20,
    owner: Owner = TASK,
) -> str:
    subject.engine.start_task(Workload(owner, subject.image, Config(env=env, command=command, memory=memory)))
    (task,) = (one.id for one in subject.engine.observe() if one.owner == owner)
    return "".join(f"{line.decode()}\n" for line in said(subject.engine, task, follow=True))


def _runtime(client: docker.DockerClient) -> str:
    for image in client.images.list(filters={"label": labels.BASE}):
        if any(tag.startswith(RUNTIME_BASE) for tag in image.tags):
            return str(image.id)
    raise AssertionError("no runtime base image: run `s2i doctor --fix`")


def _eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)
