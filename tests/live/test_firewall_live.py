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

import pytest

from s2i.engines.docker import firewall
from s2i.engines.engine import Owner, Workload
from s2i.resources.app import Config
from tests.engines.contract import APP
from tests.live.test_engine_live import _DockerSubject, _eventually, _run, docker_subject

__all__ = ["docker_subject"]

METADATA = "169.254.169.254"
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
        docker_subject.engine._shielded = (float("-inf"), (left_open,), "")
        assert docker_subject.engine.shield((left_open,)) == ""
        assert _asked(docker_subject, (own,), 3) == {own: ""}
    docker_subject.engine.remove_all()
    assert docker_subject.server not in _ran("iptables", "-t", "mangle", "-S")


def test_the_rules_are_there_once_however_often_they_are_asked_for(docker_subject: _DockerSubject) -> None:
    for ports in ((), (8080,), (8080,)):
        assert firewall.shut(docker_subject.server, ports) == ""
    said = _ran("iptables", "-t", "mangle", "-S").splitlines()
    assert sum(f"-j S2I-{docker_subject.server}" in line for line in said) == 1
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
    name = f"m{uuid.uuid4().hex[:8]}"
    _ran("ip", "netns", "add", name)
    serve = NEIGHBOUR.replace("8080", "80")
    process = None
    try:
        _ran("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ran("ip", "address", "add", "169.254.169.253/30", "dev", name)
        _ran("ip", "address", "add", f"{OTHER}/32", "dev", name)
        _ran("ip", "link", "set", name, "up")
        _ran("ip", "-n", name, "address", "add", f"{METADATA}/30", "dev", "eth0")
        _ran("ip", "-n", name, "link", "set", "eth0", "up")
        _ran("ip", "-n", name, "route", "add", "default", "via", "169.254.169.253")
        process = subprocess.Popen(("ip", "netns", "exec", name, "python3", "-c", serve))
        _eventually(_answers)
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()
        _ran("ip", "netns", "delete", name)


def _answers() -> bool:
    try:
        socket.create_connection((METADATA, 80), 1).close()
    except OSError:
        return False
    return True


def _ran(*argv: str) -> str:
    if os.geteuid() != 0:
        pytest.fail("the firewall takes root")
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout
