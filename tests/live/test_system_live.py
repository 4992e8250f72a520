"""System packages on a real engine: compiled in the build stage, loaded and run in an image that has no apt."""

from __future__ import annotations

import os
from pathlib import Path

import docker
import pytest

from buildpacks.python import debian
from s2i import shell
from s2i.errors import S2IError
from s2i.images.clients import BuildClient
from tests.live.conftest import Builds
from tests.live.test_build_live import PATIENCE, hardened

# Compiled and linked; found by the loader's list; a program with plugins that are registered; a package by s2i.toml.
REQUIREMENTS = "psycopg2==2.9.11\npython-magic==0.4.27\ngraphviz==0.21\n"
SCRIPT = """
import ctypes.util, graphviz, magic, psycopg2

print("libpq", psycopg2.extensions.libpq_version() > 100000)
print(magic.from_buffer(b"%PDF-1.4 x", mime=True))
print(graphviz.Source("digraph { a -> b }").pipe("png")[1:4].decode())
print(ctypes.util.find_library("yaml-0"))
"""
EXPECTED = "libpq True\napplication/pdf\nPNG\nlibyaml-0.so.2\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "report.py").write_text(SCRIPT)
    (folder / "requirements.txt").write_text(REQUIREMENTS)
    (folder / "s2i.toml").write_text('run-packages = ["libyaml-0-2"]\n')
    return folder


@pytest.mark.parametrize(("python", "client"), [("3.13", "best"), ("3.11", "classic")], indirect=["client"])
def test_an_image_has_the_system_packages_that_its_requirements_need(
    python: str, client: BuildClient, source: Path, builds: Builds, engine: docker.DockerClient
) -> None:
    (source / ".python-version").write_text(f"{python}\n")
    image = builds(source, client=client)
    with hardened(engine, image.id) as container:
        ended = container.wait(timeout=PATIENCE)
        assert (container.logs().decode(), ended["StatusCode"]) == (EXPECTED, 0)


def test_a_package_that_debian_has_not_is_named_with_its_line(source: Path, builds: Builds) -> None:
    (source / "s2i.toml").write_text('python = "3.13"\nrun-packages = ["libnosuchthing9"]\n')
    with pytest.raises(S2IError) as failed:
        builds(source)
    message = "the base's Debian release has no package libnosuchthing9"
    assert (failed.value.code, failed.value.facts["why"], failed.value.where) == ("E_BUILD", message, "s2i.toml:2")


@pytest.mark.parametrize("name", ["install", "collect", "finish"])
def test_a_shell_can_parse_a_script(name: str) -> None:
    done = shell.run(("sh", "-n", "-c", debian.script(name)), timeout=10, env=dict(os.environ))
    assert (done.code, done.err) == (0, b"")
