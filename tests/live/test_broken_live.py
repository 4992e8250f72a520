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
from s2i.errors import E_ROLLOUT, S2IError
from s2i.images import bases
from s2i.images.build import build
from s2i.images.diagnose import Seen
from s2i.images.request import BuildRequest
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import BuildPlan

BROKEN = Path(__file__).parents[2] / "fixtures" / "broken"
NAMES = sorted(path.name for path in BROKEN.iterdir())
PYTHON = "3.13"
TAG = "s2i-test/broken:latest"
PATIENCE = 30.0
SILENCE = 1.5  # s in which a program that is up and listens nowhere is believed
STOP = 2
LEAST_MEMORY = "64m"


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
    with pytest.raises(S2IError) as caught:
        image, plan = _image(BROKEN / name / "app")
        built.append(image)
        raise E_ROLLOUT(**_facts(diagnosis.told(_seen(engine, image, plan))))
    told = re.sub(r"0x[0-9a-f]+", "0x…", cli.text(caught.value)) + "\n"
    expected = BROKEN / name / "expect.txt"
    if request.config.getoption("--update-golden"):
        expected.write_text(told)
    assert told == expected.read_text()


def _image(folder: Path) -> tuple[str, BuildPlan]:
    offered = tuple(base for base in bases.refresh() if base.python == PYTHON)
    with sources.fetch(sources.parse(str(folder)), policy=sources.Policy.of(os.environ)) as tree:
        plan = compile_plan(tree, offered)
        return build(tree, plan, BuildRequest(title="broken", tags=(TAG,))).id, plan


def _facts(reason: str) -> dict[str, Any]:
    """Return what a roll-out says of a reason; see Deployments."""
    why, log, fix = diagnosis.parted(reason)
    return {"number": 1, "name": "shop", "why": why, "log": log, "serving": "", "advice": fix}


def _seen(engine: docker.DockerClient, image: str, plan: BuildPlan) -> Seen:
    """Run an image as the platform does, until it ends, or listens, or stays silent for a while."""
    container = engine.containers.create(
        image, read_only=True, tmpfs={"/tmp": ""}, cap_drop=["ALL"], user="1001:0", init=True, mem_limit=_memory(image),
        memswap_limit=_memory(image), security_opt=["no-new-privileges"], environment={"PORT": str(plan.port)},
    )  # fmt: skip
    try:
        container.start()
        listening = _watched(container)
        container.reload()
        state = container.attrs["State"]
        seen = Seen(port=plan.port or 0, kind=plan.kind, entry=plan.entry, seconds=60, listening=listening)
        return seen
    finally:
        container.remove(force=True, v=True)
