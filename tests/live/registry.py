"""A registry on loopback for tests: Debian's docker-registry, unpacked into a folder of its own when it is not here."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import socket
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from s2i import shell
from s2i.images.bases import mirror

USER, PASSWORD = "tester", "s3cret-canary"
HTPASSWD = f"{USER}:$2y$05$cn2GWaQuBESaa3KH1HnPLeoVl6gvHzWMWUYFuiK81N2GxGds4KzAy\n"  # bcrypt of PASSWORD
CONFIG = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "{address}:{port}"}}
"""
AUTH = "auth: {{htpasswd: {{realm: test, path: {folder}/htpasswd}}}}\n"


class Registry(msgspec.Struct, frozen=True):
    """A registry that answers at ``host``, which is "localhost:PORT"; ``port`` alone for other addresses."""

    host: str
    port: int

    def digest(self, repository: str, reference: str) -> str:
        """Return the digest of what is there. Raises urllib.error.HTTPError, 404 for nothing."""
        request = urllib.request.Request(
            f"http://{self.host}/v2/{repository}/manifests/{reference}",
            method="HEAD",
            headers={"Accept": "application/vnd.docker.distribution.manifest.v2+json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(answer.headers["Docker-Content-Digest"])


@contextlib.contextmanager
def serving(folder: Path, *, password: bool = False, address: str = "127.0.0.1") -> Iterator[Registry]:
    """Yield a registry that keeps its data in ``folder``; with ``password``, it wants USER's."""
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    text = CONFIG + (AUTH if password else "")
    (folder / "config.yml").write_text(text.format(folder=folder, port=port, address=address))
    (folder / "htpasswd").write_text(HTPASSWD)
    pid = shell.spawn((_program(), "serve", str(folder / "config.yml")), log=folder / "log")
    try:
        _wait(port, folder)
        yield Registry(f"localhost:{port}", port)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)


def _wait(port: int, folder: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError((folder / "log").read_text())


@functools.cache
def _program() -> str:
    """Return this machine's docker-registry, else Debian's, unpacked once and removed in the end."""
    return shutil.which("docker-registry") or _unpacked()


def _unpacked() -> str:
    folder = Path(tempfile.mkdtemp(prefix="s2i-registry-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for path in ("lists/partial", "archives/partial"):
        (folder / path).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={mirror.KEYRING}] {mirror.find().archive} bookworm main\n")
    (folder / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "-"; Dir::State::lists "{folder}/lists";'
        f' Dir::Cache "{folder}"; APT::Sandbox::User "root";\n'
    )
    env = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    for argv in (("apt-get", "update"), ("apt-get", "download", "docker-registry")):
        done = shell.run(argv, timeout=120, env=env, cwd=folder)
        assert done.code == 0, done.err.decode()
    (package,) = folder.glob("docker-registry_*.deb")
    assert shell.run(("dpkg", "-x", str(package), str(folder / "x")), timeout=60).code == 0
    return str(folder / "x/usr/bin/docker-registry")
