"""`s2i doctor` and the base images on a real Docker Engine."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest

from s2i import shell
from s2i.images.bases import debian, installed, machine, table
from s2i.images.bases.machine import Way
from s2i.planning.plan import Base
from s2i.resources import labels

OWN = table.OWN_PYTHON
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
def scratch(client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    """Yield a way whose images have names that no server takes for base images, and remove them."""
    row = table.row("3.13")
    assert row is not None
    name = f"s2i.test/python:{uuid.uuid4().hex[:8]}"
    made = Base(python="3.13", build=name, runtime=name)
    monkeypatch.setattr(table, "local", lambda python, interpreter: made)
    yield Way("3.13", row.suite, row.extra)
    with contextlib.suppress(docker.errors.ImageNotFound):
        client.images.remove(name)


def test_the_same_packages_make_the_same_layer(scratch: Way, client: docker.DockerClient) -> None:
    layers = []
    for _ in range(2):
        image = client.images.get(debian.runtime_base(scratch, client))
        layers.append(image.attrs["RootFS"]["Layers"])
    assert layers[0] == layers[1]


FOREIGN = """
import pathlib, sys
old = sys.argv[1].encode()
print([str(p) for p in pathlib.Path("/usr/local").rglob("*") if p.is_file() and old in p.read_bytes()])
"""


@pytest.fixture(scope="module")
def pyenv(tmp_path_factory: pytest.TempPathFactory) -> Way:
    """Return the way from an installation: the Python that runs this test, laid out as pyenv does."""
    python = f"3.{sys.version_info.minor}"
    folder, real = tmp_path_factory.mktemp("versions") / f"{python}.0", Path(sys.base_prefix)
    leave = shutil.ignore_patterns("site-packages", "dist-packages", "test", "__pycache__", "*.a")
    for path in (f"lib/python{python}", f"include/python{python}"):
        shutil.copytree(real / path, folder / path, symlinks=True, ignore=leave)
    (folder / "bin").mkdir()
    for path in (f"bin/python{python}", *(f"lib/{p.name}" for p in real.glob(f"lib/libpython{python}.so*"))):
        shutil.copy2(real / path, folder / path, follow_symlinks=False)
    here = machine.look()
    assert here.suite, "base images are made from an installation on a Debian release only"
    extra = next(row.extra for row in table.rows() if row.suite == here.suite)
    return Way(python, here.suite, tuple(name for name in extra if not name.startswith("python3")), str(folder))


@pytest.fixture(scope="module")
def of_pyenv(pyenv: Way, client: docker.DockerClient) -> Iterator[Base]:
    """Yield the base that is made from it, under a name that no server takes for a base image."""
    name = f"s2i.test/pyenv-{uuid.uuid4().hex[:8]}"
    made = Base(pyenv.python, f"{name}:build", f"{name}:run", pyenv.interpreter, uv=True)
    real = table.local

    def local(python: str, interpreter: str = table.DEBIAN_PYTHON) -> Base:
        return made if interpreter == pyenv.interpreter else real(python)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "local", local)
        debian.runtime_base(pyenv, client)
        debian.build_base(pyenv, client)
    yield made
    for image in (made.build, made.runtime):
        client.images.remove(image)


def test_a_runtime_base_of_an_installed_python_has_all_that_apps_import(
    of_pyenv: Base, client: docker.DockerClient
) -> None:
    said = json.loads(_run(client, of_pyenv.runtime, ["python3", "-c", "import json" + IMPORTS]))
    assert (said["python"], said["interpreter"], said["zone"]) == (of_pyenv.python, OWN, "US/Eastern")
    assert client.images.get(of_pyenv.runtime).attrs["Size"] <= 70_000_000


def test_a_build_base_of_an_installed_python_compiles_and_has_apt(of_pyenv: Base, client: docker.DockerClient) -> None:
    script = COMPILE.replace("/usr/bin/python3", OWN)
    said = client.containers.run(of_pyenv.build, ["sh", "-c", script], remove=True, network_mode="none")
    assert said.decode().splitlines()[-1] == "fine"


def test_no_folder_of_this_machine_is_named_in_a_base_of_an_installed_python(
    pyenv: Way, of_pyenv: Base, client: docker.DockerClient
) -> None:
    old = installed._built_for(Path(pyenv.folder)) or pyenv.folder
    for image in (of_pyenv.runtime, of_pyenv.build):
        assert _run(client, image, ["python3", "-c", FOREIGN, old]) == "[]\n"


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
