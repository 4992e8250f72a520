"""Builds for another processor, on a machine that cannot run its programs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from s2i import sources
from s2i.errors import S2IError
from s2i.images import planned
from s2i.images.clients import BuildClient
from s2i.images.request import PlanRequest
from tests.live.conftest import Builds

# The head of a program for 64-bit ARM: enough for a kernel of another processor to refuse it.
PROGRAM = (
    b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0x400000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
)  # fmt: skip


@pytest.fixture
def arm(engine: docker.DockerClient) -> Iterator[str]:
    """Return the name of an image for linux/arm64 whose shell is PROGRAM."""
    name = f"s2i-test/arm{uuid.uuid4().hex[:10]}:1"
    layer = archive({"bin/sh": PROGRAM + bytes(64)})
    config = {
        "architecture": "arm64", "os": "linux", "config": {}, "created": "2024-01-01T00:00:00Z",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }  # fmt: skip
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {
        "config.json": json.dumps(config).encode(),
        "layer.tar": layer,
        "manifest.json": json.dumps(manifest).encode(),
    }
    engine.images.load(archive(files))
    yield name
    engine.api.remove_image(name, force=True)


@pytest.mark.parametrize("client", ["best", "buildx"], indirect=True)
def test_an_image_that_only_copies_is_made_for_another_processor(
    client: BuildClient, arm: str, builds: Builds, engine: docker.DockerClient, tmp_path: Path
) -> None:
    source = dockerfile(tmp_path, f"FROM {arm}\nCOPY notes /notes\n")
    image = builds(source, "dockerfile", client=client, platform="linux/arm64")
    assert engine.images.get(image.id).attrs["Architecture"] == "arm64"


@pytest.mark.parametrize("client", ["best", "buildx"], indirect=True)
def test_a_step_that_this_kernel_cannot_run_says_what_lets_it(
    client: BuildClient, arm: str, builds: Builds, tmp_path: Path
) -> None:
    source = dockerfile(tmp_path, f"FROM {arm}\nRUN true\n")
    with pytest.raises(S2IError) as caught:
        builds(source, "dockerfile", client=client, platform="linux/arm64")
    assert (caught.value.code, caught.value.exit) == ("E_BUILD_PLATFORM", 5)
    assert "binfmt" in caught.value.advice


def test_a_source_is_planned_on_images_that_are_there_for_every_processor(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (tmp_path / "requirements.txt").write_text("flask\n")
    with sources.fetch(sources.parse(str(tmp_path)), policy=sources.Policy.of(os.environ)) as tree:
        there, here = (planned.plan(tree, PlanRequest(platform=name)).base for name in ("linux/arm64", ""))
    assert there
    assert here
    assert there.runtime.endswith("-slim")
    assert (here.python != "", there.obtain) == (True, "pull")


def dockerfile(folder: Path, text: str) -> Path:
    (folder / "Dockerfile").write_text(text)
    (folder / "notes").write_text("notes")
    return folder


def archive(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(data), 0o755
            tar.addfile(about, io.BytesIO(data))
    return held.getvalue()
