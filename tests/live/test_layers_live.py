"""Layers, sizes, the same image twice: what is in images, and what a change of a line or a dependency does to them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from click.testing import CliRunner

from buildpacks.python import heavy
from s2i.cli.verify import verify
from s2i.images.events import Image
from tests.live.conftest import Builds

pytestmark = pytest.mark.live
FIXTURES = Path(__file__).parents[2] / "fixtures"
# What nothing but a build, or a developer, has use for.
TOOLS = (
    "bin/pip",
    "bin/uv",
    "bin/gcc",
    "bin/cc",
    "bin/apt-get",
    "bin/dpkg",
    "bin/perl",
    "var/lib/apt",
    "var/cache/apt",
)


def layers(engine: docker.DockerClient, image: str) -> list[dict[str, tarfile.TarInfo]]:
    """Return the entries of each layer of an image, by path, the base's first."""
    data = io.BytesIO(b"".join(engine.images.get(image).save()))
    with tarfile.open(fileobj=data) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        names = json.load(manifest)[0]["Layers"]
        found = []
        for name in names:
            with tarfile.open(fileobj=archive.extractfile(name), mode="r:*") as layer:
                found.append({member.name.removeprefix("./"): member for member in layer})
    return found


def digests(engine: docker.DockerClient, image: Image) -> list[str]:
    return list(engine.images.get(image.id).attrs["RootFS"]["Layers"])


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a job with one distribution that counts as large, and a small one."""
    (tmp_path / "heavy.toml").write_text('pays_from = 1\n[[heavy]]\nname = "numpy"\nmb = 49\n')
    monkeypatch.setattr(heavy, "PATH", tmp_path / "heavy.toml")
    source = tmp_path / "source"
    source.mkdir()
    (source / "requirements.txt").write_text("numpy\nidna\n")
    (source / "job.py").write_text(
        "import numpy.testing, idna\n"
        "try:\n    import numpy.tests\nexcept ModuleNotFoundError:\n    print('no tests', numpy.arange(3).sum())\n"
    )
    return source


def test_one_more_dependency_keeps_the_layer_of_the_large_ones(
    job: Path, builds: Builds, engine: docker.DockerClient
) -> None:
    before = digests(engine, builds(job))
    (job / "requirements.txt").write_text("numpy\nidna\nitsdangerous\n")
    image = builds(job)
    after = digests(engine, image)
    steps = builds.steps()
    assert ("cached", "cached") == (
        steps["Install the large distributions"],
        steps["Copy the large distributions, which seldom change"],
    )
    assert [True, False] == [one == other for one, other in zip(before[-3:-1], after[-3:-1], strict=True)]
    large, others = layers(engine, image.id)[-3:-1]
    assert any("/numpy/" in path for path in large)
    assert not any("/numpy/" in path for path in others)
    assert [] == [path for path in large if "/tests/" in path and "astropy" not in path]
    said = engine.containers.run(image.id, user="123456:0", read_only=True, tmpfs={"/tmp": ""}, remove=True)
    assert b"no tests 3\n" == said


def test_an_image_has_no_tool_of_the_build_and_nobody_can_write_to_it(
    builds: Builds, engine: docker.DockerClient
) -> None:
    image = builds(FIXTURES / "flask-hello" / "app")
    files = {path: member for layer in layers(engine, image.id) for path, member in layer.items()}
    assert [] == [path for path in files if path.endswith(TOOLS) or f"{path}/".startswith(TOOLS)]
    writable = [
        path
        for path, member in files.items()
        if member.mode & 0o022 and (member.isfile() or member.isdir()) and not member.mode & 0o1000
    ]
    assert [] == writable
    assert [] == [path for path in files if "/__pycache__/" in path and path.startswith("app/")]
    compiled = [path for path in files if "/site-packages/flask/" in path and path.endswith(".pyc")]
    assert len(compiled) == len([p for p in files if "/site-packages/flask/" in p and p.endswith(".py")])


@pytest.fixture
def nothing_left(engine: docker.DockerClient) -> Iterator[None]:
    before = {image["Id"] for image in engine.api.images()}
    yield
    assert set() == {image["Id"] for image in engine.api.images()} - before


def verified(source: Path) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(verify, [str(source), "-o", "json"], standalone_mode=False, catch_exceptions=False)
    return int(done.return_value), json.loads(done.stdout)


@pytest.mark.parametrize("fixture", ["flask-hello", "src-layout"])
def test_two_builds_of_a_source_have_the_same_files(nothing_left: None, fixture: str) -> None:
    code, verdict = verified(FIXTURES / fixture / "app")
    assert (0, True, []) == (code, verdict["same"], verdict["findings"])


def test_what_a_build_writes_anew_each_time_is_named_with_its_cause(tmp_path: Path, nothing_left: None) -> None:
    (tmp_path / "Dockerfile").write_text(
        "FROM s2i.local/python:3.13\n"
        'RUN python3 -c \'import uuid; open("/srv.key", "w").write(uuid.uuid4().hex)\''
        " && touch --date=1980-01-02 /srv.key\n"
        "RUN mkdir /opt/made && date >/opt/made/when\n"
        'CMD ["python3"]\n'
    )
    code, verdict = verified(tmp_path)
    found = {row["path"]: (row["what"], row["cause"].partition(":")[0]) for row in verdict["findings"]}
    assert (5, False) == (code, verdict["same"])
    assert (["content"], "a step writes something random into it") == found["srv.key"]
    assert (["content", "time"], "a step writes the time of the build into it") == found["opt/made/when"]
