"""The command lines of a build, as values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

import msgspec

from s2i.images.clients import BuildClient

CA_SECRET = "ca"  # noqa: S105 - the id of a mount
CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_INHERITED = (
    "PATH",
    "HOME",
    "DOCKER_CONFIG",
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "XDG_RUNTIME_DIR",
    "SSH_AUTH_SOCK",
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One build: the files it reads and writes, and what it puts on the image."""

    context: Path
    dockerfile: Path
    iidfile: Path
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    ca: str = ""
    cache: bool = True
    proxies: tuple[str, ...] = ()


def argv(client: BuildClient, order: Order) -> tuple[str, ...]:
    """Return the command that builds ``order`` with ``client``."""
    head: tuple[str, ...]
    match client.kind:
        case "buildx":
            # The default builder is the engine itself: another one would keep the image to itself.
            head = (client.path, "build", "--builder", "default", "--progress=rawjson", "--provenance=false")
        case "docker":
            head = (client.path, "build", "--progress=plain")
        case "classic":
            raise ValueError("the classic builder has no command line: see classic.py")
        case _:
            assert_never(client.kind)
    words = ["--file", str(order.dockerfile), "--iidfile", str(order.iidfile)]
    if order.ca:
        words += ["--secret", f"id={CA_SECRET},src={order.ca}"]
    for name, value in order.labels:
        words += ["--label", f"{name}={value}"]
    for tag in order.tags:
        words += ["--tag", tag]
    for name in order.proxies:
        words += ["--build-arg", name]  # by name alone: the value goes by the environment
    if not order.cache:
        words.append("--no-cache")
    return (*head, *words, str(order.context))


def environment(inherited: Mapping[str, str], host: str, epoch: int) -> dict[str, str]:
    """Return the variables that the client gets: few, the engine's address, and the commit's time when known."""
    found = {name: inherited[name] for name in (*_INHERITED, *PROXIES) if name in inherited}
    found |= {"DOCKER_HOST": host, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain", "DOCKER_CLI_HINTS": "false"}
    return found | ({"SOURCE_DATE_EPOCH": str(epoch)} if epoch else {})


def ca_bundle() -> str:
    """Return the file with the certificate authorities that this machine trusts, "" when none is found.

    A company's proxy signs with an authority of its own: a build that downloads has to trust it too.
    """
    given = (os.environ.get(name, "") for name in ("S2I_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
    return next((path for path in (*given, *CA_FILES) if path and os.access(path, os.R_OK)), "")
