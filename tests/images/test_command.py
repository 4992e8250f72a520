"""The command lines of a build: whole lines are compared."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import s2i
from s2i.images.clients import CLASSIC, BuildClient
from s2i.images.command import Order, argv, ca_bundle, environment, proxies

BUILDX = BuildClient("buildx", "/p/docker-buildx", "0.29.1")
DOCKER = BuildClient("docker", "/usr/bin/docker", "20.10.24")
ORDER = Order(
    context=Path("/w/context"),
    dockerfile=Path("/w/Dockerfile"),
    iidfile=Path("/w/image"),
    tags=("s2i/shop:latest", "shop:1.2"),
    labels=(("org.opencontainers.image.title", "shop"), ("s2i.build", "shop")),
    secrets=(("ca", "/etc/ssl/ca.crt"),),
    proxies=("https_proxy",),
    namespace="p1",
    salt="p1.s2i.invalid",
    arguments=(("MODE", "fast"),),
)
FILES = ("--file=/w/Dockerfile", "--iidfile=/w/image", "--network=default", "--pull=false")
BUILDX_FILES = ("--file=/w/Dockerfile", "--metadata-file=/w/image", "--network=default", "--pull=false")
NAMES = (
    "--tag=s2i/shop:latest",
    "--tag=shop:1.2",
    "--label=org.opencontainers.image.title=shop",
    "--label=s2i.build=shop",
)


def test_buildx_is_run_directly_on_the_engines_own_builder() -> None:
    assert argv(BUILDX, ORDER) == (
        "/p/docker-buildx", "build", "--builder=default", "--progress=rawjson", "--provenance=false", *BUILDX_FILES,
        *NAMES,
        "--secret=id=ca,src=/etc/ssl/ca.crt", "--build-arg=BUILDKIT_CACHE_MOUNT_NS=p1",
        "--add-host=p1.s2i.invalid:127.0.0.1", "--build-arg=https_proxy", "--build-arg=MODE=fast", "/w/context",
    )  # fmt: skip


def test_an_old_docker_builds_itself() -> None:
    assert argv(DOCKER, ORDER) == (
        "/usr/bin/docker", "build", "--progress=plain", *FILES, *NAMES,
        "--secret=id=ca,src=/etc/ssl/ca.crt", "--build-arg=BUILDKIT_CACHE_MOUNT_NS=p1",
        "--add-host=p1.s2i.invalid:127.0.0.1", "--build-arg=SOURCE_DATE_EPOCH", "--build-arg=https_proxy", "--build-arg=MODE=fast",
        "/w/context",
    )  # fmt: skip


def test_the_classic_builder_gets_no_secrets() -> None:
    assert argv(CLASSIC, ORDER) == (
        sys.executable, "-P", "-m", "s2i.images.classic", *FILES, *NAMES, "--build-arg=https_proxy",
        "--build-arg=MODE=fast", "/w/context",
    )  # fmt: skip


def test_a_build_without_cache_says_so() -> None:
    bare = Order(context=Path("/c"), dockerfile=Path("/d"), iidfile=Path("/i"), cache=False)
    assert argv(DOCKER, bare) == (
        "/usr/bin/docker", "build", "--progress=plain", "--file=/d", "--iidfile=/i", "--network=default",
        "--pull=false", "--no-cache", "--build-arg=SOURCE_DATE_EPOCH", "/c",
    )  # fmt: skip


INHERITED = {
    "PATH": "/bin",
    "HOME": "/h",
    "AWS_SECRET_ACCESS_KEY": "canary",
    "DOCKER_CONFIG": "/h/.docker",
    "DOCKER_HOST": "tcp://elsewhere",
    "BUILDX_BUILDER": "other",
    "HTTPS_PROXY": "http://proxy.example:3128",
}
KEPT = {
    "PATH": "/bin",
    "HOME": "/h",
    "DOCKER_CONFIG": "/h/.docker",
    "DOCKER_HOST": "unix:///d.sock",
    "DOCKER_CLI_HINTS": "false",
    "LC_ALL": "C.UTF-8",
    "HTTPS_PROXY": "http://proxy.example:3128",
}


def test_a_client_gets_few_variables_and_our_engine() -> None:
    assert environment(INHERITED, DOCKER, "unix:///d.sock", 7) == {
        **KEPT,
        "DOCKER_BUILDKIT": "1",
        "SOURCE_DATE_EPOCH": "7",
    }


def test_buildx_gets_the_time_of_the_source() -> None:
    own = {"SOURCE_DATE_EPOCH": "7", "BUILDX_METADATA_PROVENANCE": "disabled"}
    assert environment(INHERITED, BUILDX, "unix:///d.sock", 7) == {**KEPT, **own}


def test_the_classic_builder_finds_this_very_package() -> None:
    ours = str(Path(s2i.__file__).parent.parent)
    assert environment(INHERITED, CLASSIC, "unix:///d.sock", 7) == {**KEPT, "PYTHONPATH": ours}


def test_a_proxy_on_this_machines_loopback_is_not_handed_into_a_build() -> None:
    given = {
        "HTTP_PROXY": "http://127.0.0.1:3128",
        "https_proxy": "localhost:8080",
        "HTTPS_PROXY": "http://user:pass@proxy.example:3128",
        "no_proxy": "localhost,127.0.0.1",
        "http_proxy": "",
    }
    assert proxies(given) == ("HTTPS_PROXY", "no_proxy")


def test_the_ca_bundle_that_a_person_names_comes_first(tmp_path: Path) -> None:
    named, other = tmp_path / "named.pem", tmp_path / "other.pem"
    named.write_text("")
    other.write_text("")
    assert ca_bundle({"S2I_CA_BUNDLE": str(named), "SSL_CERT_FILE": str(other)}) == str(named)
    assert ca_bundle({"S2I_CA_BUNDLE": str(tmp_path / "gone.pem"), "SSL_CERT_FILE": str(other)}) == str(other)


def test_a_bundle_whose_path_would_break_the_option_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2i.images.command.CA_FILES", ())
    odd = tmp_path / "a,type=env.pem"
    odd.write_text("")
    assert ca_bundle({"SSL_CERT_FILE": str(odd)}) == ""
