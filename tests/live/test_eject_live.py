"""What `s2i eject` writes builds, with Docker alone, what `s2i build` builds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import docker

from s2i import shell
from s2i.engines.docker import connection
from s2i.images import bases, clients, command
from tests.live.conftest import Builds
from tests.live.test_build_live import FIXTURES, contents, s2i

PATHS = ("a.log", "keep.log", "build/x", "sub/y.log", "sub/z.txt", ".env", "id_rsa", "venv/pyvenv.cfg", "venv/x")
COMPILED = ".pyc"  # holds the time of its source, which is the checkout's for Docker


def test_docker_alone_builds_the_same_files_from_what_is_ejected(
    builds: Builds, engine: docker.DockerClient, tmp_path: Path, remove_images: list[str]
) -> None:
    source = tmp_path / "shop"
    shutil.copytree(FIXTURES / "flask-hello" / "app", source)
    (source / ".gitignore").write_bytes(b"*.log\r\n/build/\r\n!keep.log\r\n")
    for path in PATHS:
        (source / path).parent.mkdir(exist_ok=True)
        (source / path).write_text(path)
    (source / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n" + "x" * 80)
    (source / "out").symlink_to("/etc/hostname")
    bases.refresh()  # what `s2i build` would take is known once somebody has asked the engine
    done = s2i("eject", str(source), "--base", "here")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {source}/Dockerfile\nwrote {source}/.dockerignore\n"
    assert shell.run(by_hand(source, f"{builds.tag}-hand"), timeout=200, env=environment()).code == 0
    remove_images.append(f"{builds.tag}-hand")
    ours = contents(engine, builds(source, strategy="python").id)
    theirs = contents(engine, f"{builds.tag}-hand")
    assert files(theirs) == files(ours)
    assert sorted(path for path in files(ours) if path.startswith("app/") and not path.endswith(COMPILED)) == [
        "app/.dockerignore", "app/.gitignore", "app/Dockerfile", "app/app.py", "app/keep.log", "app/requirements.txt",
        "app/sub/z.txt",
    ]  # fmt: skip
    planned = s2i("plan", str(source))
    assert "Dockerfile: was not used: the plan is made from the code; --strategy dockerfile uses it" in planned.stdout
    assert s2i("plan", str(source), "--strategy", "dockerfile").returncode == 0


def by_hand(source: Path, tag: str) -> tuple[str, ...]:
    """Return the command that the file's first lines name."""
    client = clients.find()
    head = (client.path, "build", "--builder=default") if client.kind == "buildx" else (client.path, "build")
    bundle = command.ca_bundle(os.environ)
    trust = (f"--secret=id=ca,src={bundle}",) if bundle else ()
    proxies = tuple(f"--build-arg={name}" for name in command.proxies(os.environ))
    return (*head, "-q", "-t", tag, *trust, *proxies, str(source))


def environment() -> dict[str, str]:
    return {**os.environ, "DOCKER_BUILDKIT": "1", "DOCKER_HOST": connection.host()}


def files(found: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of the layers, compiled ones by name only."""
    layers = {path: data for path, data in found.items() if not path.startswith("save:")}
    return {path: b"" if path.endswith(COMPILED) else data for path, data in layers.items()}
