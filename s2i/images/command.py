"""The command lines of a build, as values."""

from __future__ import annotations

import os
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

import msgspec

import s2i
from s2i.images.clients import BuildClient

CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
CA_VARIABLES = ("S2I_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY")
_DOCKER = ("DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_API_VERSION")
_INHERITED = ("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", *_DOCKER)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One build: the files it reads and writes, and what it puts on the image.

    ``iidfile``: where the client writes what it made, for result.identity.
    ``secrets`` are (id, file); ``proxies`` names of variables; ``namespace`` keeps its download caches apart, ``salt``
    the results of its steps: those of another salt are not taken for them. ``platform`` "" is the engine's own.
    ``marks`` are variables of each step by which it is recognised (see cage).
    """

    context: Path
    dockerfile: Path
    iidfile: Path
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    cache: bool = True
    proxies: tuple[str, ...] = ()
    namespace: str = ""
    salt: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    platform: str = ""
    marks: tuple[tuple[str, str], ...] = ()


def argv(client: BuildClient, order: Order) -> tuple[str, ...]:
    """Return the command that builds ``order`` with ``client``."""
    head: tuple[str, ...]
    match client.kind:
        case "buildx":
            # The default builder is the engine itself: another one would keep the image to itself.
            # A provenance attestation makes each image differ from the last.
            head = (client.path, "build", "--builder=default", f"--progress={client.progress}", "--provenance=false")
        case "docker":
            head = (client.path, "build", f"--progress={client.progress}")
        case "classic":
            head = (sys.executable, "-P", "-m", "s2i.images.classic")
        case _:
            assert_never(client.kind)
    # The id that buildx writes is none that a containerd image store knows the image by: see result.identity.
    result = "metadata-file" if client.kind == "buildx" else "iidfile"
    words = [f"--file={order.dockerfile}", f"--{result}={order.iidfile}", "--network=default", "--pull=false"]
    if not order.cache:
        words.append("--no-cache")
    words += [f"--tag={tag}" for tag in order.tags]
    words += [f"--label={name}={value}" for name, value in order.labels]
    if client.kind != "classic":
        words += [f"--secret=id={name},src={path}" for name, path in order.secrets]
        if order.platform:
            words.append(f"--platform={order.platform}")
        if order.namespace:
            words.append(f"--build-arg=BUILDKIT_CACHE_MOUNT_NS={order.namespace}")
        if order.salt:
            # The names that a step can resolve are part of its cache key and of nothing that it leaves behind.
            words.append(f"--add-host={order.salt}:127.0.0.1")
    if client.kind == "docker":  # buildx reads the variable itself
        words.append("--build-arg=SOURCE_DATE_EPOCH")
    # By name alone: the values go by the environment, where no list of processes shows them.
    words += [f"--build-arg={name}" for name in dict.fromkeys((*order.proxies, *dict(order.marks)))]
    words += [f"--build-arg={name}={value}" for name, value in order.arguments]
    return (*head, *words, str(order.context))


def environment(inherited: Mapping[str, str], client: BuildClient, host: str, epoch: int) -> dict[str, str]:
    """Return the variables that the client gets: few, the engine's address, and the source's time (epoch seconds)."""
    found = {name: inherited[name] for name in (*_INHERITED, *proxies(inherited)) if name in inherited}
    found |= {"DOCKER_HOST": host, "DOCKER_CLI_HINTS": "false", "LC_ALL": "C.UTF-8"}
    if client.kind == "classic":
        found["PYTHONPATH"] = str(Path(s2i.__file__).parent.parent)
    if client.kind == "docker":
        found["DOCKER_BUILDKIT"] = "1"
    if client.kind != "classic":
        found["SOURCE_DATE_EPOCH"] = str(epoch)
    if client.kind == "buildx":
        found["BUILDX_METADATA_PROVENANCE"] = "disabled"  # it is asked for at the end of each build, and read by nobody
    return found


def proxies(inherited: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the proxy variables that a build can use: one of this machine's loopback is none of its."""
    found = []
    for name in (spelt for upper in _PROXIES for spelt in (upper, upper.lower())):
        value = inherited.get(name, "")
        host = urllib.parse.urlsplit(value if "//" in value else f"//{value}").hostname or ""
        if value and (name.lower() == "no_proxy" or not (host == "localhost" or host.startswith(("127.", "::1")))):
            found.append(name)
    return tuple(found)


def ca_bundle(inherited: Mapping[str, str]) -> str:
    """Return the file with the certificate authorities that this machine trusts, "" when none is found.

    A company's proxy signs with an authority of its own: a build that downloads has to trust it too.
    """
    given = [inherited[name] for name in CA_VARIABLES if inherited.get(name)]
    candidates = (path for path in (*given, *CA_FILES) if "," not in path)
    return next((path for path in candidates if Path(path).is_file() and os.access(path, os.R_OK)), "")
