"""What is broken is explained: each folder of fixtures/broken fails, and says what its expect.txt says, word for word.

`pytest tests/live/test_broken_live.py --update-golden` writes the texts anew; the diff is the review.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from s2i import cli, sources
from s2i.control import diagnosis
from s2i.engines.docker import ports
from s2i.errors import S2IError
from s2i.images import bases
from s2i.images.build import build
from s2i.images.diagnose import Seen, start
from s2i.images.request import BuildRequest
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import BuildPlan

BROKEN = Path(__file__).parents[2] / "fixtures" / "broken"
NAMES = sorted(path.name for path in BROKEN.iterdir())
PYTHON = "3.13"
TAG = "s2i-test/broken:latest"
PATIENCE = 30.0
# Most end. These go on, and are looked at when they listen, or have said this.
LISTENING = {"loopback-only", "sigterm-ignored", "wrong-port"}
SAID = {"never-listens": b"waiting for messages", "settings-invalid": b"Field required"}
STOP = 1  # s
KILLED = 137
ANYWHERE = "0.0.0.0"
MEMORY = "128m"  # enough for each of them but the one that takes all that there is


@pytest.fixture(scope="module")
def built(engine: docker.DockerClient) -> Iterator[list[str]]:
    """Yield a list: the images whose ids are put into it are removed when all is done, for they share layers."""
    made: list[str] = []
    yield made
    for image in dict.fromkeys(made):
        engine.api.remove_image(image, force=True)


@pytest.mark.parametrize("name", NAMES)
def test_a_broken_source_is_explained(
    name: str, built: list[str], engine: docker.DockerClient, request: pytest.FixtureRequest
) -> None:
    told = re.sub(r"0x[0-9a-f]+", "0x…", re.sub(r"tini \(\d+\)", "tini (…)", cli.text(_failure(name, built, engine))))
    expected = BROKEN / name / "expect.txt"
    if request.config.getoption("--update-golden"):
        expected.write_text(f"{told}\n")
    assert f"{told}\n" == expected.read_text()


def _failure(name: str, built: list[str], engine: docker.DockerClient) -> S2IError:
    """Return what ends a deployment of the source: its build, or the first start of its image."""
    try:
        image, plan = _image(BROKEN / name / "app")
    except S2IError as failure:
        return failure
    built.append(image)
    return diagnosis.error(1, "shop", diagnosis.reason(start(_seen(name, engine, image, plan))), "nothing serves")


def _image(folder: Path) -> tuple[str, BuildPlan]:
    offered = tuple(base for base in bases.refresh() if base.python == PYTHON)
    with sources.fetch(sources.parse(str(folder)), policy=sources.Policy.of(os.environ)) as tree:
        plan = compile_plan(tree, offered)
        return build(tree, plan, BuildRequest(title="broken", tags=(TAG,))).id, plan


def _seen(name: str, engine: docker.DockerClient, image: str, plan: BuildPlan) -> Seen:
    """Run an image as the platform does, and return what is seen until it ends, listens, or stays silent."""
    container = engine.containers.create(
        image, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"], user="1001:0", init=True, mem_limit=MEMORY,
        memswap_limit=MEMORY, security_opt=["no-new-privileges"], environment={"PORT": str(plan.port)},
    )  # fmt: skip
    try:
        container.start()
        listening = _watched(name, container)
        stop = None
        if listening == ((ANYWHERE, plan.port),):
            container.stop(timeout=STOP)
            container.reload()
            stop = float(STOP) if container.attrs["State"]["ExitCode"] == KILLED else None
        state = container.attrs["State"]
        return Seen(
            lines=tuple(container.logs().decode().splitlines()),
            exit=state["ExitCode"] if state["Status"] == "exited" else None,
            oom=state["OOMKilled"], listening=listening, port=plan.port or 0, seconds=60, stop=stop,
        )  # fmt: skip
    finally:
        container.remove(force=True, v=True)


def _watched(name: str, container: Any) -> tuple[tuple[str, int], ...]:
    """Return where a container listens when it has come as far as it will; () when it has ended."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        container.reload()
        state = container.attrs["State"]
        if state["Status"] == "exited":
            return ()
        listening = ports.listening(state["Pid"])
        if (name in LISTENING and listening) or (name in SAID and SAID[name] in container.logs()):
            return listening
        time.sleep(0.05)
    raise AssertionError(f"it runs on: {container.logs().decode(errors='replace')}")
