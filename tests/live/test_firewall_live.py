"""THREATS T45: a container reaches neither what its machine listens on nor link-local addresses, but its neighbours."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import uuid
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from s2i.engines.docker import firewall
from s2i.engines.engine import Owner, Workload
from s2i.resources.app import Config
from tests.engines.contract import APP
from tests.live.test_engine_live import _DockerSubject, _eventually, _run, docker_subject

__all__ = ["docker_subject"]

METADATA = "169.254.169.254"
BEYOND = "10.213.78.2"  # another machine, which this one knows the way to
OTHER = "10.213.77.1"  # of this machine, in no network of a container
ASK = """
import json, socket, sys
found = {}
for place in sys.argv[1:]:
    host, port = place.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), 1.5) as connection:
            found[place] = connection.recv(5).decode()
    except OSError as error:
        found[place] = ""
print(json.dumps(found))
"""
NEIGHBOUR = """
import socket
with socket.create_server(("0.0.0.0", 8080)) as server:
    while True:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"hello")
"""


TALK = """
import itertools, socket, sys, time
for number in itertools.count():
    try:
        with socket.create_connection((sys.argv[1], 8080), 1.5) as connection:
            connection.recv(5)
        print("asked", number, flush=True)
    except OSError as error:
        print(error, flush=True)
    time.sleep(0.1)
"""


def test_a_container_reaches_its_neighbours_and_nothing_of_its_machine(docker_subject: _DockerSubject) -> None:
    neighbour = Workload(APP, docker_subject.image, Config(command=("python3", "-c", NEIGHBOUR)))
    beside = docker_subject.engine.start_instance(neighbour)
    _eventually(lambda: docker_subject.engine.listening(APP) == (("0.0.0.0", 8080),))
    (gateway,) = (one[1:] for one in docker_subject.engine.subnets(APP.project) if one.startswith("!"))
    with _listening() as shut, _listening() as left_open, _metadata():
        own = f"{OTHER}:{shut}"
        places = (beside, f"{gateway}:{shut}", own, f"{METADATA}:80", f"{gateway}:{left_open}")
        before = _asked(docker_subject, places, 0)
        assert before == dict.fromkeys(places, "hello"), "what is not there cannot be shut"
        assert docker_subject.engine.shield((left_open,)) == ""
        after = _asked(docker_subject, places, 1)
        assert after == {beside: "hello", f"{gateway}:{left_open}": "hello"} | dict.fromkeys(places[1:4], "")
        # Somebody's tool has thrown the way into it away: that is noticed.
        _ran("iptables", *firewall.jump(docker_subject.server, "-D"))
        assert _asked(docker_subject, (own,), 2) == {own: "hello"}
        docker_subject.engine._shielded = docker_subject.engine._shielded._replace(at=float("-inf"))
        assert docker_subject.engine.shield((left_open,)) == ""
        assert _asked(docker_subject, (own,), 3) == {own: ""}
    docker_subject.engine.remove_all()
    assert docker_subject.server not in _ran("iptables", "-t", "mangle", "-S")


def test_a_closed_project_reaches_its_neighbours_the_router_and_nothing_beyond(docker_subject: _DockerSubject) -> None:
    engine = docker_subject.engine
    beside = engine.start_instance(Workload(APP, docker_subject.image, Config(command=("python3", "-c", NEIGHBOUR))))
    _eventually(lambda: engine.listening(APP) == (("0.0.0.0", 8080),))
    (gateway,) = (one[1:] for one in engine.subnets(APP.project) if one.startswith("!"))
    with _listening() as router, _machine(BEYOND, "10.213.78.1", 8080):
        places = (beside, f"{APP.instance}.{APP.name}:8080", f"{gateway}:{router}", f"{BEYOND}:8080")
        assert engine.shield((router,)) == ""
        assert _asked(docker_subject, places, 0) == dict.fromkeys(places, "hello")
        other = msgspec.structs.replace(_task(0), project="bank", run="bank-1")
        assert engine.shield((router,), (APP.project,)) == ""
        shut = dict.fromkeys(places, "hello") | {f"{BEYOND}:8080": ""}
        assert _asked(docker_subject, places, 1) == shut
        said = json.loads(_run(docker_subject, ("python3", "-c", ASK, places[3]), owner=other))
        assert said == {places[3]: "hello"}, "another project is left alone"
        assert engine.shield((router,)) == ""
        assert _asked(docker_subject, places, 2) == dict.fromkeys(places, "hello")
    engine.shield((), (APP.project,))
    engine.remove_all()
    assert docker_subject.server not in _ran("iptables", "-t", "mangle", "-S")


def test_what_runs_already_is_cut_off_when_its_project_is_closed(docker_subject: _DockerSubject) -> None:
    engine, talker = docker_subject.engine, _task(7)
    with _machine(BEYOND, "10.213.78.1", 8080):
        engine.start_task(Workload(talker, docker_subject.image, Config(command=("python3", "-c", TALK, BEYOND))))
        box = docker_subject._container(talker, "task")
        _eventually(lambda: b"asked 3" in box.logs())
        assert engine.shield((), (talker.project,)) == ""
        _eventually(lambda: b"timed out" in box.logs())


def test_the_rules_are_there_once_however_often_they_are_asked_for(docker_subject: _DockerSubject) -> None:
    for ports in ((), (8080,), (8080,)):
        assert firewall.shut(docker_subject.server, ports) == ""
    said = _ran("iptables", "-t", "mangle", "-S").splitlines()
    assert sum(f"-j S2I-{docker_subject.server}" in line for line in said) == 2
    assert sum("--dport 8080" in line for line in said) == 1


def _asked(subject: _DockerSubject, places: Sequence[str], number: int) -> dict[str, str]:
    found: dict[str, str] = json.loads(_run(subject, ("python3", "-c", ASK, *places), owner=_task(number)))
    return found


def _task(number: int) -> Owner:
    return Owner(APP.project, "job", "ask", run=f"ask-{number}", instance="0")


@contextlib.contextmanager
def _listening() -> Iterator[int]:
    """Listen on all addresses of this machine; yield the port."""
    with socket.create_server(("0.0.0.0", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"hello")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _metadata() -> Iterator[None]:
    """Have another machine answer at the address of a cloud's metadata, and this one have OTHER towards it."""
    with _machine(METADATA, "169.254.169.253", 80, f"{OTHER}/32"):
        yield


@contextlib.contextmanager
def _machine(address: str, ours: str, port: int, *more: str) -> Iterator[None]:
    """Have another machine answer at ``address``, and this one have ``ours``, and ``more``, towards it."""
    name = f"m{uuid.uuid4().hex[:8]}"
    _ran("ip", "netns", "add", name)
    serve = NEIGHBOUR.replace("8080", f"{port}")
    process = None
    try:
        _ran("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        for own in (f"{ours}/30", *more):
            _ran("ip", "address", "add", own, "dev", name)
        _ran("ip", "link", "set", name, "up")
        _ran("ip", "-n", name, "address", "add", f"{address}/30", "dev", "eth0")
        _ran("ip", "-n", name, "link", "set", "eth0", "up")
        _ran("ip", "-n", name, "route", "add", "default", "via", ours)
        process = subprocess.Popen(("ip", "netns", "exec", name, "python3", "-c", serve))
        _eventually(lambda: _answers(address, port))
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()
        _ran("ip", "netns", "delete", name)


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


def _ran(*argv: str) -> str:
    if os.geteuid() != 0:
        pytest.fail("the firewall takes root")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
