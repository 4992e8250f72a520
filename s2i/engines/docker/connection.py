"""Which Docker Engine to talk to, and the client that does."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from s2i.errors import E_DOCKER, E_DOCKER_INSECURE, E_DOCKER_PERMISSION

if TYPE_CHECKING:
    import docker

    from s2i.wire import Wire

DEFAULT = "unix:///var/run/docker.sock"


def host() -> str:
    """Return the engine's address, as the docker command would choose it: DOCKER_HOST, its context, the default.

    Raises E_DOCKER_INSECURE for an address that anybody on the network could use.
    """
    address = os.environ.get("DOCKER_HOST") or _context_host() or _default_host()
    if address.startswith(("tcp://", "http://")) and not os.environ.get("DOCKER_TLS_VERIFY"):
        raise E_DOCKER_INSECURE(socket=address)
    return address


def is_here() -> bool:
    """Say whether the engine is one of this machine, where what it runs can be reached by other ways than its API."""
    return sys.platform == "linux" and host().startswith("unix://")


def client(timeout: float = 30) -> docker.DockerClient:
    """Return a client of an engine that answers; every call of it ends within ``timeout`` seconds.

    Raises E_DOCKER, E_DOCKER_PERMISSION, E_DOCKER_INSECURE.
    """
    import docker
    import docker.errors
    import requests.exceptions

    address = host()
    try:
        connected = docker.DockerClient(base_url=address, timeout=timeout)  # type: ignore[arg-type]
        connected.ping()
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise _explained(address, error) from None
    return connected


def wire(timeout: float = 30) -> Wire:
    """Return the thin way to an engine that answers; every call of it ends within ``timeout`` seconds.

    Raises E_DOCKER, E_DOCKER_PERMISSION, E_DOCKER_INSECURE.
    """
    from s2i.wire import Refused, Wire

    address = host()
    found = Wire(address, timeout)
    try:
        if address.startswith("unix://"):
            Path(address.removeprefix("unix://")).stat()
        found.get("/_ping")
    except (OSError, Refused) as error:
        raise _explained(address, error) from None
    return found


@contextlib.contextmanager
def lasting() -> Iterator[None]:
    """Say so when the engine of a wire goes away within the block, or fails at what it was asked. Raises E_DOCKER."""
    from s2i.wire import Gone, Refused

    try:
        yield
    except Gone as error:
        raise E_DOCKER(socket=host(), why=f"it stopped answering ({error})") from None
    except Refused as refusal:
        raise E_DOCKER(socket=host(), why=str(refusal)) from None


def _explained(address: str, error: BaseException) -> Exception:
    path = Path(address.removeprefix("unix://"))
    if address.startswith("unix://") and path.exists() and not os.access(path, os.R_OK | os.W_OK):
        return E_DOCKER_PERMISSION(socket=address)
    if address.startswith("unix://") and not path.exists():
        return E_DOCKER(socket=address, why="there is no such socket: no engine runs")
    text = str(error)
    if "refused" in text.lower():
        return E_DOCKER(socket=address, why="connection refused: the socket is there, but no engine behind it")
    return E_DOCKER(socket=address, why=text)


def _context_host() -> str:
    """Read the endpoint of the docker command's current context, "" for its default one."""
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        chosen = msgspec.json.decode((folder / "config.json").read_bytes(), type=_Config).currentContext
    except (OSError, msgspec.DecodeError):
        chosen = ""
    name = os.environ.get("DOCKER_CONTEXT") or chosen
    if not name or name == "default":
        return ""
    for meta in folder.glob("contexts/meta/*/meta.json"):
        try:
            context = msgspec.json.decode(meta.read_bytes(), type=_Context)
        except (OSError, msgspec.DecodeError):
            continue
        if context.Name == name:
            return str(context.Endpoints.get("docker", {}).get("Host", ""))
    return ""


class _Config(msgspec.Struct):
    currentContext: str = ""  # noqa: N815 - as in the file


class _Context(msgspec.Struct):
    Name: str = ""
    Endpoints: dict[str, dict[str, Any]] = {}


@functools.cache
def _default_host() -> str:
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}") / "docker.sock"
    if not Path("/var/run/docker.sock").exists() and rootless.exists():
        return f"unix://{rootless}"
    return DEFAULT
