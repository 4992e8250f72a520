"""What the builds are measured against: a base as people use it, sizes, a container by hand, a registry on loopback."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker

from s2i.engines.docker import connection
from s2i.images.bases import mirror, table

PATIENCE = 30.0
PACKAGES = "python3,python3-pip,python3-venv,ca-certificates,libstdc++6,libgomp1"


def make_base(python: str) -> None:
    """Make s2i-bench/python: Debian's essential packages, Python and pip, as a slim image has them."""
    name = f"s2i-bench/python:{python}"
    engine = connection.client(timeout=300)
    with contextlib.suppress(docker.errors.ImageNotFound):
        engine.images.get(name)
        return
    row = table.row(python)
    assert row is not None
    sources = "\n".join((*mirror.find().lines(row.suite), "")).encode()
    with tempfile.TemporaryDirectory() as folder:
        target = f"{folder}/root.tar"
        argv = ("mmdebstrap", "--variant=essential", f"--include={PACKAGES}", row.suite, target, "-")
        subprocess.run(argv, input=sources, check=True, capture_output=True, timeout=600)
        repository, _, tag = name.rpartition(":")
        engine.api.import_image_from_file(target, repository=repository, tag=tag, changes=['CMD ["python3"]'])


def remove_images(prefix: str) -> None:
    """Remove the images whose names begin with ``prefix``, but the base."""
    engine = connection.client(timeout=300)
    for image in engine.images.list():
        for tag in image.tags:
            if tag.startswith(prefix) and "/python:" not in tag:
                engine.api.remove_image(tag, force=True)


def image_size(name: str) -> int:
    """Return the bytes of an image, unpacked."""
    return int(connection.client().images.get(name).attrs["Size"])


def unpacked(requirements: Path) -> int:
    """Return the bytes of all wheels that the requirements need, unpacked, without bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        argv = (
            "pip", "download", "--quiet", "--python-version=3.13", "--only-binary=:all:", f"--dest={folder}",
            "--requirement", str(requirements),
        )  # fmt: skip
        subprocess.run((sys.executable, "-m", *argv), check=True, capture_output=True, timeout=600)
        return sum(part.file_size for path in Path(folder).glob("*.whl") for part in zipfile.ZipFile(path).infolist())


def serve(image: str, port: int) -> str:
    """Run ``image`` as `docker run --detach` does, wait for its first 200; return the container's ID."""
    argv = ("docker", "run", "--detach", f"--publish=127.0.0.1::{port}", image)
    container = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    found: dict[str, Any] = connection.client().containers.get(container).ports
    published = int(found[f"{port}/tcp"][0]["HostPort"])
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(OSError, http.client.HTTPException):
            request = http.client.HTTPConnection("127.0.0.1", published, timeout=5)
            request.request("GET", "/")
            if request.getresponse().status == 200:
                return container
        time.sleep(0.005)
    raise SystemExit(f"{image} does not answer")


def stop(container: str) -> None:
    """Remove a container."""
    connection.client(timeout=60).containers.get(container).remove(force=True)


@contextlib.contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run Debian's docker-registry on loopback for the block; yield its host:port."""
    packages = folder / "packages"
    packages.mkdir(parents=True)
    subprocess.run(
        ("apt-get", "download", "docker-registry"), cwd=packages, check=True, capture_output=True, timeout=300
    )
    (package,) = packages.glob("*.deb")
    subprocess.run(("dpkg", "-x", str(package), str(folder / "x")), check=True, timeout=60)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    process = subprocess.Popen(
        (str(folder / "x/usr/bin/docker-registry"), "serve", str(folder / "config.yml")),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
    )  # fmt: skip
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            time.sleep(0.02)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
