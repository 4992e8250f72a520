"""An engine that takes a connection and says nothing (FAULTS F17): every call has a limit."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from s2i.engines.docker.engine import DockerEngine
from s2i.engines.engine import Owner, Workload
from s2i.errors import S2IError
from s2i.resources.app import Config

pytestmark = pytest.mark.world  # listens on a socket of its own

LIMIT = 1.0  # s


OWNER = Owner("default", "app", "shop", 1, instance="r1-0")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
VERSION = b'{"ApiVersion": "1.41", "Version": "20.10.24", "Components": []}'
CALLS: dict[str, Callable[[DockerEngine], object]] = {
    "observe": lambda engine: engine.observe(),
    "start": lambda engine: engine.start_instance(Workload(OWNER, "sha256:1", Config())),
    "sandbox": lambda engine: engine.start_sandbox(Workload(OWNER, "sha256:1", Config())),
    "park": lambda engine: engine.park(Workload(OWNER, "sha256:1", Config()), 0),
    "stop": lambda engine: engine.stop(OWNER, 0),
    "end": lambda engine: engine.end("c1", 0),
    "remove": lambda engine: engine.remove("c1"),
    "logs": lambda engine: list(engine.logs("c1")),
    "images": lambda engine: engine.image_ids(),
    "image": lambda engine: engine.image_exists("sha256:1"),
    "disk": lambda engine: engine.disk("default"),
    "introduce": lambda engine: engine.introduce("default", ("shop",)),
    "subnets": lambda engine: engine.subnets("default"),
    "volume": lambda engine: engine.make_volume("default", "data"),
    "no volume": lambda engine: engine.remove_volume("default", "data"),
    "run": lambda engine: engine.run_in("c1", ("true",), print),
    "all": lambda engine: engine.remove_all(),
}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerEngine:
    """Return an engine that says who it is, and nothing else to anybody."""
    path = tmp_path / "docker.sock"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    held: list[socket.socket] = []

    def take() -> None:
        while True:
            client, _ = server.accept()
            held.append(client)
            threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client: socket.socket) -> None:
        while said := client.recv(65536):
            line = said.partition(b"\r\n")[0]
            if b"/version" in line or b"/_ping" in line:
                client.sendall(HEAD % len(VERSION) + VERSION)

    threading.Thread(target=take, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    return DockerEngine("s1", timeout=LIMIT)


@pytest.mark.parametrize("call", CALLS)
def test_no_call_waits_for_ever(engine: DockerEngine, call: str) -> None:
    began = time.monotonic()
    with pytest.raises(S2IError) as caught:
        CALLS[call](engine)
    assert caught.value.exit == 6
    assert time.monotonic() - began < 20 * LIMIT
