"""A revision with an address of its own: it takes nothing of the app, sleeps, wakes, and goes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from home import Home

from tests.live import second_engine
from tests.live.test_crash_live import PROGRAM, Asking

APP, NEXT = "shop.default.localhost", "next---shop.default.localhost"


@pytest.fixture
def home(engine: docker.DockerClient) -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18860)
        yield made
        made.run("server", "stop", "--all", "--yes")


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.1)


def test_a_tagged_revision_is_tried_before_it_gets_requests(home: Home, tmp_path: Path) -> None:
    def deploy(text: str, *words: str) -> str:
        (tmp_path / "app.py").write_text(PROGRAM.format(text=text))
        lines = f'FROM {second_engine.base().runtime}\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n'
        (tmp_path / "Dockerfile").write_text(lines)
        return home.ok("deploy", str(tmp_path), "--name", "shop", "--strategy", "dockerfile", *words)

    url = deploy("one")
    port = int(url.rpartition(":")[2])
    with Asking(port, APP) as asking:
        deploy("two", "--tag", "next", "--no-traffic", "--window", "6")
        (tag,) = home.data("app", "get", "shop")["tags"]
        assert tag == {"tag": "next", "revision": 2, "url": f"http://{NEXT}:{port}"}
        assert home.answer_within(tag["url"], 20) == "two"
        eventually(lambda: running(home) == ["r1-0"])  # it sleeps
        assert home.answer_within(tag["url"], 20) == "two"  # and wakes
        assert running(home) == ["r1-0", "r2-0"]
        assert asking.said == ["one"]
        home.ok("app", "traffic", "shop", "r2=100")
        eventually(lambda: asking.said[-1] == "two")
        home.ok("app", "traffic", "shop", "--untag", "next", "--tag", "old=r1")
        assert home.get(f"http://{NEXT}:{port}")[0] == 404
        assert home.answer_within(f"http://old---shop.default.localhost:{port}", 20) == "one"
    assert (asking.wrong, asking.said) == ([], ["one", "two"])
    home.ok("app", "delete", "shop", "--yes")
    assert home.get(f"http://old---shop.default.localhost:{port}")[0] == 404
    assert list((home.folder / "run" / "slots").glob("*/*")) == []


def running(home: Home) -> list[str]:
    """Return the instances that run, whatever they are for."""
    server = str(home.server()["id"])
    found = docker.from_env().containers.list(
        ignore_removed=True, filters={"label": [f"s2i.server={server}", "s2i.role=instance"]}
    )
    return sorted(str(one.labels["s2i.instance"]) for one in found)
