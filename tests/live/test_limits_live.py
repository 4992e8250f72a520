"""Limits and visibility of a deployed app, as its own count and its neighbours see them."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from home import Home

PATIENCE = 60  # seconds

APP = """
import json, os, threading, time

lock, now, most = threading.Lock(), 0, 0


def application(environ, start_response):
    global now, most
    routed = "HTTP_X_FORWARDED_FOR" in environ  # not a probe, of which there is one more when it is slow to begin
    with lock:
        now += routed
        most = max(most, now)
    time.sleep(0.02)
    with lock:
        now -= routed
    body = json.dumps({"host": os.uname().nodename, "most": most}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18720)
        made.environment["S2I_HTTP_ADDRESS"] = "0.0.0.0"
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture(scope="module")
def url(home: Home, tmp_path_factory: pytest.TempPathFactory) -> str:
    source = tmp_path_factory.mktemp("counts")
    (source / "app.py").write_text(APP)
    return home.ok("deploy", str(source), "--name", "counts")


def test_without_a_limit_an_instance_has_many_at_once(home: Home, url: str) -> None:
    """What the other tests count can be counted."""
    assert max(_most(_ask(home, url, clients=20, each=5)).values()) > 1


def test_from_sleep_under_load_no_instance_has_more_than_its_limit(home: Home, url: str) -> None:
    home.ok("app", "scale", "counts", "--concurrency", "1", "--max-scale", "3", "--window", "6")
    home.ok("app", "restart", "counts")  # it counts anew
    _until(home, "asleep")
    answers = _ask(home, url, clients=60, each=20)
    assert [status for status, _ in answers] == [200] * 1200
    assert set(_most(answers).values()) == {1}
    assert len(_most(answers)) > 1  # those that waited brought more instances


def test_a_project_sees_its_app_and_nobody_else_does(home: Home, url: str, engine: docker.DockerClient) -> None:
    home.ok("app", "scale", "counts", "--concurrency", "0", "--min-scale", "1")
    home.ok("app", "update", "counts", "--visibility", "project")
    assert home.get(url) == (404, "No app has this address.\n")
    image = home.data("app", "get", "counts")["image"]
    own = next(net for net in engine.networks.list(names=["s2i-"]) if any(".counts." in one for one in _names(net)))
    foreign = engine.networks.create("s2i-limits-foreign", driver="bridge")
    try:
        assert _from_inside(engine, image, own, home, url) == "200"
        assert _from_inside(engine, image, foreign, home, url) == "404"
    finally:
        foreign.remove()
    home.ok("app", "update", "counts", "--visibility", "private")
    assert _from_inside(engine, image, own, home, url) == "404"
    assert home.data("app", "get", "counts")["url"] == ""
    home.ok("app", "update", "counts", "--visibility", "public")
    assert json.loads(home.answer_within(url, 5))["most"] >= 1


def _names(network: docker.models.networks.Network) -> list[str]:
    network.reload()
    return [one["Name"] for one in network.attrs["Containers"].values()]


def _from_inside(
    engine: docker.DockerClient, image: str, network: docker.models.networks.Network, home: Home, url: str
) -> str:
    """Ask for the app from a container of ``network``, at this machine's address there; return the status."""
    network.reload()
    gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
    host = url.removeprefix("http://")
    ask = (
        f"import http.client; c = http.client.HTTPConnection('{gateway}', {home.port}, timeout=20); "
        f"c.request('GET', '/', headers={{'Host': '{host}'}}); print(c.getresponse().status)"
    )
    said: bytes = engine.containers.run(image, ["python", "-c", ask], network=network.name, remove=True)
    return said.decode().strip()


def _until(home: Home, status: str) -> None:
    until = time.monotonic() + PATIENCE
    while home.data("app", "get", "counts")["status"] != status:
        assert time.monotonic() < until, f"it is never {status}"
        time.sleep(0.5)


def _most(answers: list[tuple[int, str]]) -> Counter[str]:
    """Return the most requests at once that each instance has counted."""
    found: Counter[str] = Counter()
    for _, text in answers:
        one = json.loads(text)
        found[one["host"]] = max(found[one["host"]], one["most"])
    return found


def _ask(home: Home, url: str, clients: int, each: int) -> list[tuple[int, str]]:
    host = url.removeprefix("http://")
    answers: list[tuple[int, str]] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", home.port, timeout=PATIENCE)
        for _ in range(each):
            connection.request("GET", "/", headers={"Host": host})
            answer = connection.getresponse()
            answers.append((answer.status, answer.read().decode()))
        connection.close()

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return answers
