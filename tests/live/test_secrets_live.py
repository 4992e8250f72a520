"""Secrets on a real engine: canaries go in, and are looked for wherever a build leaves something."""

from __future__ import annotations

import base64
import contextlib
import ipaddress
import json
import os
import random
import subprocess
import sys
import tempfile
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from home import Home

from s2i.errors import S2IError
from s2i.images import bases, clients
from s2i.images.clients import BuildClient
from s2i.images.private.redact import MASK
from s2i.images.request import CLI
from s2i.resources.secret import Secret
from tests.live import second_engine
from tests.live.conftest import Builds
from tests.live.package_index import NAME, Index, serving
from tests.live.test_build_live import contents, dockerfile

ROOT = Path(__file__).parents[2]
CLIENTS = ("best", "buildx")
USER = "somebody"
PROGRAM = f"import {NAME}\nprint('version', {NAME}.VERSION)\n"


class Canaries:
    """Values that nobody else has, and what they look like when a program writes them in another form."""

    def __init__(self) -> None:
        self.values = {
            name: f"{name}canary{random.getrandbits(64):016x}" for name in ("token", "index", "dotenv", "proxy")
        }

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def seen_in(self, data: bytes) -> list[str]:
        """Return the names of those that are in ``data``, in whichever form."""
        return [name for name, value in self.values.items() if any(form in data for form in self._forms(value))]

    def _forms(self, value: str) -> Iterator[bytes]:
        for text in (value, f"{USER}:{value}", f"x{value}", f"xx{value}"):
            yield base64.b64encode(text.encode()).rstrip(b"=")[4:-4]
        yield value.encode()
        yield value.encode().hex().encode()


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="module")
def bridge(engine: docker.DockerClient) -> str:
    """Return the address of this machine that a build reaches, and nobody outside."""
    found = engine.networks.get("bridge").attrs["IPAM"]["Config"][0]
    # Not told of a bridge that was there before the engine: its own address is the first one.
    return str(found.get("Gateway") or next(ipaddress.ip_network(found["Subnet"]).hosts()))


@pytest.fixture(scope="module")
def private(bridge: str, canaries: Canaries) -> Iterator[Index]:
    with serving(bridge, "1.0", f"{USER}:{canaries['index']}") as index:
        yield index


@pytest.fixture(scope="module")
def public(bridge: str) -> Iterator[Index]:
    with serving(bridge, "99.0") as index:
        yield index


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:  # a short path: a socket is in it
        made = Home(Path(folder), 18790)
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture
def source(tmp_path: Path, canaries: Canaries) -> Path:
    folder = tmp_path / f"canary{random.getrandbits(40):x}"
    folder.mkdir()
    (folder / "requirements.txt").write_text(f"{NAME}\n")
    (folder / "main.py").write_text(PROGRAM)
    (folder / ".env").write_text(f"TOKEN={canaries['dotenv']}\n")
    return folder


def with_login(index: Index, password: str) -> str:
    return index.url.replace("//", f"//{USER}:{password}@")


def environment(home: Home, canaries: Canaries, public: Index) -> dict[str, str]:
    """Return an environment with a secret, the other index in every way that names a second one, a proxy's password."""
    return {
        **home.environment, "CANARY": canaries["token"], "UV_INDEX": public.url,
        "UV_EXTRA_INDEX_URL": public.url, "PIP_EXTRA_INDEX_URL": public.url,
        "HTTPS_PROXY": f"http://{USER}:{canaries['proxy']}@proxy.invalid:3128",
        "NO_PROXY": "*",
    }  # fmt: skip


def s2i(env: dict[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run((sys.executable, "-m", "s2i", *words), capture_output=True, timeout=240, cwd=ROOT, env=env)


def everything_under(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_nothing_of_a_secret_is_in_an_image_its_history_or_what_s2i_keeps_and_says(
    home: Home,
    canaries: Canaries,
    private: Index,
    public: Index,
    source: Path,
    builds: Builds,
    engine: docker.DockerClient,
) -> None:
    env = environment(home, canaries, public)
    given = ("--index-url", with_login(private, canaries["index"]), "--secret", "id=token,env=CANARY")
    done = s2i(env, "build", str(source), "-t", builds.tag, "-o", "json", *given)
    assert done.returncode == 0, done.stderr.decode()
    image = json.loads(done.stdout)["image"]
    builds._made.append(image)
    assert engine.containers.run(image, remove=True) == b"version 1.0\n"
    assert public.asked == []  # there is one index

    files = contents(engine, image)
    assert {path: found for path, data in files.items() if (found := canaries.seen_in(data))} == {}
    told = json.dumps(engine.api.history(image)) + json.dumps(engine.api.inspect_image(image))
    plan, recipe = s2i(env, "plan", str(source), "-o", "json"), s2i(env, "dockerfile", str(source), *given)
    for data in (told.encode(), done.stdout, done.stderr, plan.stdout, recipe.stdout, everything_under(home.folder)):
        assert canaries.seen_in(data) == []
    assert b"id=token,target=/run/secrets/token" in recipe.stdout

    # What the installation left in its cache is there for the next build: it must not hold what opened the index.
    look = f"RUN --mount=type=cache,id=s2i-uv,target=/c ls /c; grep -rlaE '{'|'.join(canaries.values.values())}' /c || true\n"
    present = second_engine.base().build
    builds(dockerfile(source.parent / "look", look, present), "dockerfile", namespace=CLI)
    said = [event.line for event in builds.events if event.status == "log"]
    assert (any("wheels" in line for line in said), [line for line in said if "/" in line]) == (True, [])

    again = s2i(env, "build", str(source), "-t", builds.tag, *given)
    assert (again.returncode, again.stdout.decode().strip()) == (0, image)


def test_a_dockerfile_works_for_a_person_with_a_netrc(
    canaries: Canaries, private: Index, source: Path, builds: Builds, engine: docker.DockerClient
) -> None:
    bases.refresh()  # what is here is what a plan starts from
    recipe = s2i({**os.environ}, "dockerfile", str(source), "--index-url", private.url)
    (source / "Dockerfile").write_bytes(recipe.stdout)
    (source.parent / "netrc").write_text(f"machine {private.host} login {USER} password {canaries['index']}\n")
    client = clients.find()
    build = (client.path, "build", "--secret", f"id=netrc,src={source.parent}/netrc", "-t", builds.tag, str(source))
    done = subprocess.run(build, env={**os.environ, "DOCKER_BUILDKIT": "1"}, capture_output=True)
    builds._made.append(builds.tag)
    assert done.returncode == 0, done.stderr.decode()
    assert engine.containers.run(builds.tag, remove=True) == b"version 1.0\n"


@pytest.mark.parametrize("password", ["", "wrong-password"])
def test_missing_and_wrong_credentials_are_one_clear_error(
    password: str, home: Home, canaries: Canaries, private: Index, source: Path
) -> None:
    env = {**home.environment, "HOME": str(source.parent)}
    url = with_login(private, password) if password else private.url
    done = s2i(env, "build", str(source), "--index-url", url, "-o", "json")
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"]) == (5, "E_INDEX_AUTH")
    why = f"the package index {private.host} refused what it was asked, or who asked (401)"
    assert why in error["message"]
    assert f"machine {private.host} login USER password PASSWORD" in error["advice"]
    assert b"wrong-password" not in done.stderr


def test_a_second_index_of_the_source_is_refused(home: Home, private: Index, public: Index, source: Path) -> None:
    (source / "pyproject.toml").write_text(f'[[tool.uv.index]]\nurl = "{public.url}"\n')
    done = s2i(home.environment, "build", str(source), "--index-url", private.url, "-o", "json")
    error = json.loads(done.stderr.splitlines()[-1])["error"]
    assert (done.returncode, error["code"], error["found"]) == (3, "E_EXTRA_INDEX", "pyproject.toml:2")


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_what_a_step_prints_of_a_secret_is_taken_out(
    client: BuildClient, canaries: Canaries, builds: Builds, tmp_path: Path
) -> None:
    value = f'{canaries["token"]}/"&'
    forms = (
        value, urllib.parse.quote(value, safe=""), json.dumps(value)[1:-1], value.encode().hex(),
        base64.b64encode(f"user:{value}".encode()).decode(),
    )  # fmt: skip
    # Each form in two pieces, as a program with a small buffer writes it; the last one with the step's failure.
    pieces = "; ".join(f"printf %s '{form[:9]}'; sleep 0.02; printf '%s\\n' '{form[9:]}'" for form in forms)
    script = Secret("script", f"{pieces}; cat /run/secrets/token; exit 3\n".encode())
    lines = "RUN --mount=type=secret,id=script --mount=type=secret,id=token sh /run/secrets/script\n"
    given = (script, Secret("token", value.encode()))
    with pytest.raises(S2IError) as caught:
        builds(dockerfile(tmp_path / "source", lines), "dockerfile", client=client, secrets=given, cache=False)
    said = json.dumps([event.line for event in builds.events]) + str(caught.value.as_dict())
    assert canaries.seen_in(said.encode()) == []
    assert [form for form in forms if form in said] == []
    assert said.count(MASK) >= 2 * len(forms)


@pytest.mark.parametrize("client", CLIENTS, indirect=True)
def test_a_proxy_that_a_dockerfile_declares_leaves_no_password_in_the_history(
    client: BuildClient, canaries: Canaries, builds: Builds, engine: docker.DockerClient, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("HTTP_PROXY", f"http://{USER}:{canaries['proxy']}@proxy.invalid:3128")
    source = dockerfile(tmp_path / "source", "ARG HTTP_PROXY\nRUN true\n")
    image = builds(source, "dockerfile", client=client, cache=False)
    told = json.dumps(engine.api.history(image.id)) + json.dumps(engine.api.inspect_image(image.id))
    assert canaries.seen_in(told.encode()) == []


def test_a_deployment_has_its_secrets_in_memory_alone(
    home: Home, canaries: Canaries, private: Index, public: Index, source: Path
) -> None:
    env = environment(home, canaries, public)
    done = s2i(
        env, "deploy", str(source), "--index-url", with_login(private, canaries["index"]),
        "--secret", "id=token,env=CANARY", "-o", "json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert canaries.seen_in(done.stdout + done.stderr) == []
    assert canaries.seen_in(everything_under(home.folder)) == []
    server = int(home.server()["pid"])  # type: ignore[call-overload]
    with contextlib.suppress(PermissionError):
        told = Path(f"/proc/{server}/environ").read_bytes() + Path(f"/proc/{server}/cmdline").read_bytes()
        # A proxy's password is what the server is given to reach anything at all.
        assert [name for name in canaries.seen_in(told) if name != "proxy"] == []


def test_a_token_in_a_git_address_is_refused_without_being_shown(home: Home, canaries: Canaries) -> None:
    done = s2i(home.environment, "build", f"https://{USER}:{canaries['token']}@host.invalid/owner/repo")
    assert done.returncode != 0
    assert canaries.seen_in(done.stdout + done.stderr + everything_under(home.folder)) == []
