"""How every container is made: the one place that decides users, limits, mounts and privileges.

What a request asks for reaches a container only through the parameters here. Limits follow the CIS Docker
Benchmark, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from s2i.engines.docker import volumes as named
from s2i.engines.docker.hosts import TARGET as HOSTS
from s2i.engines.docker.sealed import UID, files_of
from s2i.engines.engine import Owner, Workload
from s2i.resources import labels

Role = Literal["sandbox", "instance", "task", "proof"]

USER = f"{UID}:0"  # numeric: an image cannot map it to root by its /etc/passwd
PIDS = 256
FILES = 16384
LOG_SIZE, LOG_FILES = "10m", "2"
SANDBOX_MEMORY = 16 << 20
SANDBOX_PIDS = 16


class Declared(NamedTuple):
    """What an image declares that a container would inherit: the paths of volumes, the names of labels."""

    volumes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


NOTHING = Declared()


def container_settings(
    role: Role,
    work: Workload,
    *,
    server: str,
    image: str,
    network: str,
    declared: Declared = NOTHING,
    sealed: Sequence[Path] = (),
    hosts: Path | None = None,
) -> dict[str, Any]:
    """Return the body of the engine's "create container" for one container of ``work``.

    ``network``: the project's network, ``container:ID`` of the sandbox whose network it joins, or "none": a "proof"
    is what an instance is, without a network. ``declared`` by the image: its volumes become sized tmpfs, so that no
    anonymous one fills the disk; its labels never pass for ours. ``sealed``: where the files of the mounts of ``work``
    lie (see engines/docker/sealed.py), ``hosts``: the names that it is to know (see engines/docker/hosts.py): the only
    paths of this machine that any container sees, and it chooses none.
    Volumes have names of ours and are the engine's; a proof gets an empty folder in the place of each.
    """
    sandbox = role == "sandbox"
    mounts = [] if sandbox else _mounts(work, sealed, hosts)
    if role in ("instance", "task"):
        mounts += _volumes(work, server)
    body: dict[str, Any] = {
        "Image": image,
        "User": USER,
        "Env": [] if sandbox else _environment(work),
        "Labels": _labels(role, work, server, declared.labels),
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},  # a health check of the image would run on a one second grid, unwatched
        "HostConfig": _host(role, work, network, declared.volumes, mounts),
    }
    if sandbox:
        body |= {"Entrypoint": ["sleep"], "Cmd": ["infinity"]}
    elif work.config.command:
        body |= {"Entrypoint": [], "Cmd": [*work.config.command, *work.config.arguments]}
    elif work.config.arguments:
        body["Cmd"] = list(work.config.arguments)
    if not network.startswith("container:"):
        body["Hostname"] = _hostname(work.owner)
    if not network.startswith("container:") and network != "none":
        body["NetworkingConfig"] = {"EndpointsConfig": {network: {"Aliases": _aliases(work)}}}
    return body


def _host(
    role: Role, work: Workload, network: str, volumes: tuple[str, ...], mounts: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    sandbox = role == "sandbox"
    taken = {one["Target"] for one in mounts}
    if role == "proof":
        volumes = (*volumes, *(one.directory for one in work.config.volumes))
    memory = SANDBOX_MEMORY if sandbox else work.config.memory
    scratch = f"rw,noexec,nosuid,nodev,mode=1777,size={memory // 2}"
    return {
        "Init": True,
        "ReadonlyRootfs": True,
        "Tmpfs": {place: scratch for place in ("/tmp", *volumes) if place not in taken},  # noqa: S108 - in the container
        **({"Mounts": list(mounts)} if mounts else {}),
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": SANDBOX_PIDS if sandbox else PIDS,
        "Memory": memory,
        "MemorySwap": memory,
        "NanoCpus": 0 if sandbox else round(work.config.cpu * 1e9),
        "Ulimits": [
            {"Name": "nofile", "Soft": FILES, "Hard": FILES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": LOG_SIZE, "max-file": LOG_FILES}},
        "RestartPolicy": {"Name": "no"},  # what should run is in the store; the control loop starts it again
        "NetworkMode": network,
        "IpcMode": "private",
    }


def _mounts(work: Workload, sealed: Sequence[Path], hosts: Path | None) -> list[dict[str, Any]]:
    files = files_of(work.config) if sealed else ()
    places = [(source, one.directory) for source, one in zip(sealed, files, strict=True)]
    if hosts is not None:
        places.append((hosts, HOSTS))
    return [
        {
            "Type": "bind",
            "Source": str(source),
            "Target": target,
            "ReadOnly": True,
            "BindOptions": {"Propagation": "rprivate"},
        }
        for source, target in places
    ]


def _volumes(work: Workload, server: str) -> list[dict[str, Any]]:
    project = work.owner.project
    return [
        {
            "Type": "volume",
            "Source": named.name_of(server, project, one.name),
            "Target": one.directory,
            # What an image has there would be copied into a volume that is new, and hide what the next image has.
            "VolumeOptions": {"NoCopy": True, "Labels": named.labels_of(server, project, one.name)},
        }
        for one in work.config.volumes
    ]


def _environment(work: Workload) -> list[str]:
    pairs = dict(work.config.env) | {"HOME": "/tmp", "PORT": str(work.config.port)}  # noqa: S108
    return [f"{key}={value}" for key, value in pairs.items()]


def _labels(role: Role, work: Workload, server: str, inherited: tuple[str, ...]) -> dict[str, str]:
    owner = work.owner
    common = {labels.SERVER: server, labels.PROJECT: owner.project, labels.ROLE: role, labels.INSTANCE: owner.instance}
    app = {labels.APP: owner.name, labels.REVISION: str(owner.number), labels.PORT: str(work.config.port)}
    job = {labels.JOB: owner.name, labels.RUN: owner.run}
    used, unused = (job, app) if owner.kind == "job" else (app, job)
    return common | used | {name: "" for name in unused if name in inherited}


def _hostname(owner: Owner) -> str:
    tail = f"-{owner.instance}" if owner.instance else ""
    return f"{(owner.run or owner.name)[: 63 - len(tail)]}{tail}"


def _aliases(work: Workload) -> list[str]:
    """Return the names of a container among its neighbours: its own as well, which a file of names need not have."""
    own = [f"{work.owner.instance}.{work.owner.name}"] if work.owner.kind == "app" else []
    return [*own, *filter(None, (work.alias,)), _hostname(work.owner)]
