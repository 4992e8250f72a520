"""`s2i doctor` and the base images on a real Docker Engine."""

from __future__ import annotations

import contextlib
import json
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import pytest

from s2i import shell
from s2i.images.bases import debian, table
from s2i.planning.plan import Base
from s2i.resources import labels

IMPORTS = """
import bz2, ctypes.util, curses, dbm, hashlib, lzma, os, readline, sqlite3, ssl, sys, uuid, venv, zlib, zoneinfo
assert os.getuid() == 1001 and os.getgid() == 0
assert ctypes.util.find_library("ssl")
assert json.__cached__ and os.path.exists(json.__cached__)
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "interpreter": sys.executable,
    "authorities": len(ssl.create_default_context().get_ca_certs()) > 100,
    "zone": str(zoneinfo.ZoneInfo("US/Eastern")),
    "home": os.path.expanduser("~"),
}))
"""
SETUID = "find / -xdev -type f -perm /6000 | wc -l"
COMPILE = """
set -e
cd "$(mktemp -d)"
printf '#include <Python.h>\\nint x(void) { return Py_IsInitialized(); }\\n' > x.c
gcc -shared -fPIC $(python3-config --includes) x.c -o x.so
printf '#include <string>\\nint main() { return std::string("a").size() - 1; }\\n' > y.cc
g++ y.cc -o y && ./y
uv venv --quiet --python /usr/bin/python3 /opt/venv && /opt/venv/bin/python -c 'import ensurepip'
git --version && apt-get --version > /dev/null && echo fine
"""


def s2i(*words: str) -> tuple[int, str, str]:
    done = shell.run((sys.executable, "-m", "s2i", *words), timeout=280)
    return done.code, done.out.decode(), done.err.decode()


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    """Return a client of an engine that has the base images (makes what is missing)."""
    code, out, err = s2i("doctor", "--fix")
    assert code == 0, out + err
    return docker.from_env(timeout=60)


@pytest.fixture(params=table.defaults())
def base(request: pytest.FixtureRequest, client: docker.DockerClient) -> Base:
    """Return each base that is made from Debian's packages."""
    return table.local(str(request.param))


def test_a_machine_with_engine_and_bases_is_found_usable(client: docker.DockerClient) -> None:
    code, out, _ = s2i("doctor", "-o", "json")
    report = json.loads(out)
    assert (code, report["usable"]) == (0, True)
    assert [check["name"] for check in report["checks"] if check["state"] == "fail"] == []
    assert {"engine", "builder", "bases", "disk", "security"} <= {check["name"] for check in report["checks"]}


def test_mending_what_works_does_and_says_nothing(client: docker.DockerClient) -> None:
    def state() -> list[str]:
        # Images that are built on a base inherit its label: the name tells them apart.
        made = client.images.list(filters={"label": labels.BASE})
        return sorted(f"{tag} {image.id}" for image in made for tag in image.tags if tag.startswith("s2i.local/"))

    before = state()
    code, _, err = s2i("doctor", "--fix")
    assert (code, err) == (0, "")
    assert state() == before


def test_an_engine_that_is_not_there_is_told_and_exits_6(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    code, out, _ = s2i("doctor", "-o", "json")
    failed = [check for check in json.loads(out)["checks"] if check["state"] == "fail"]
    assert code == 6
    assert [check["text"] for check in failed] == [
        "cannot talk to Docker at unix:///nowhere/docker.sock: there is no such socket: no engine runs"
    ]


def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_HTTP_PORT", "web")
    code, _, err = s2i("doctor")
    assert code == 2
    assert err.startswith('error: S2I_HTTP_PORT: the port cannot be "web"')


def test_the_runtime_base_runs_hardened_with_all_that_apps_import(base: Base, client: docker.DockerClient) -> None:
    said = _run(client, base.runtime, ["python3", "-c", "import json" + IMPORTS])
    assert json.loads(said) == {
        "python": base.python,
        "interpreter": base.interpreter,
        "authorities": True,
        "zone": "US/Eastern",
        "home": "/tmp",
    }


def test_the_runtime_base_is_small_and_has_no_way_to_install_or_to_become_root(
    base: Base, client: docker.DockerClient
) -> None:
    assert client.images.get(base.runtime).attrs["Size"] <= 65_000_000
    assert _run(client, base.runtime, ["sh", "-c", SETUID]) == "0\n"
    found = _run(client, base.runtime, ["sh", "-c", "command -v apt-get dpkg perl gcc pip su mount || true"])
    assert found == ""


def test_the_runtime_base_can_hold_a_network(base: Base, client: docker.DockerClient) -> None:
    container = client.containers.run(base.runtime, ["sleep", "infinity"], detach=True, **_hardened())
    try:
        container.reload()
        assert container.status == "running"
    finally:
        container.remove(force=True)


def test_the_build_base_compiles_and_makes_environments_without_network(
    base: Base, client: docker.DockerClient
) -> None:
    said = client.containers.run(base.build, ["sh", "-c", COMPILE], remove=True, network_mode="none")
    assert said.decode().splitlines()[-1] == "fine"


def test_the_images_carry_the_label_of_a_base(base: Base, client: docker.DockerClient) -> None:
    for name in (base.build, base.runtime):
        assert client.images.get(name).labels[labels.BASE] == base.python


@pytest.fixture
def scratch(client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[table.Row]:
    """Yield a row whose images have names that no server takes for base images, and remove them."""
    row = table.row("3.13")
    assert row is not None
    name = f"s2i.test/python:{uuid.uuid4().hex[:8]}"
    monkeypatch.setattr(table, "local", lambda python: Base(python=python, build=name, runtime=name))
    yield row
    with contextlib.suppress(docker.errors.ImageNotFound):
        client.images.remove(name)


def test_the_same_packages_make_the_same_layer(scratch: table.Row, client: docker.DockerClient) -> None:
    layers = []
    for _ in range(2):
        image = client.images.get(debian.runtime_base(scratch, client))
        layers.append(image.attrs["RootFS"]["Layers"])
    assert layers[0] == layers[1]


def _run(client: docker.DockerClient, image: str, command: list[str]) -> str:
    said: bytes = client.containers.run(image, command, remove=True, **_hardened())
    return said.decode()


def _hardened() -> dict[str, Any]:
    return {
        "read_only": True,
        "user": "1001:0",
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "tmpfs": {"/tmp": "noexec"},
    }
