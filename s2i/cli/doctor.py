"""`s2i doctor`: what this machine has and lacks, and with --fix the mending of it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from s2i.cli.output import emit, output_option, safe

if TYPE_CHECKING:
    from s2i.engines.docker.checks import Check

MARKS = {"ok": ("✓", "ok  "), "warn": ("!", "warn"), "fail": ("✗", "FAIL")}


@click.command()
@click.option("--fix", is_flag=True, help="Install and start an engine, make base images (root, Debian or Ubuntu).")
@click.option(
    "--python", "pythons", multiple=True, metavar="X.Y", help="One more Python to have base images of. Repeatable."
)
@output_option
def doctor(fix: bool, pythons: tuple[str, ...], output: str | None) -> int:
    """Check what s2i needs on this machine, a line each, and say how to mend what is wrong.

    --fix never touches an engine that works. The exit status is 0 when s2i can work here (warnings or not), else 6.

    \b
    s2i doctor
    sudo s2i doctor --fix --python 3.9
    """
    from s2i.engines.docker import checks
    from s2i.images import bases

    wanted = tuple(dict.fromkeys((*bases.defaults(), *(_known_python(python) for python in pythons))))
    if fix:
        _fix(wanted)
    found = tuple(_checks(wanted))
    good = checks.usable(found)
    if output in ("json", "yaml"):
        emit({"usable": good, "checks": found}, output)
    else:
        _show(found)
    return 0 if good else 6


def _fix(wanted: tuple[str, ...]) -> None:
    from s2i.engines.docker import install
    from s2i.images import bases

    def say(line: str) -> None:
        click.echo(line, err=True)

    install.ensure_engine(say)
    bases.ensure(wanted, say)


def _known_python(text: str) -> str:
    from s2i.errors import E_VALUE
    from s2i.images.bases import table

    if table.row(text) is None:
        known = ", ".join(row.python for row in table.rows())
        raise E_VALUE(what="--python", value=text, why=f"there is {known}", command="doctor")
    return text


def _checks(wanted: tuple[str, ...]) -> Iterator[Check]:
    from s2i import dirs, shell
    from s2i.engines.docker import checks
    from s2i.errors import S2IError
    from s2i.images import command

    yield checks.python(sys.version_info[:3], sys.executable, optimised=_optimised())
    yield checks.git(shell.find("git"))
    try:
        yield from tuple(_of_engine(wanted))
    except S2IError as error:
        yield checks.no_engine(error)
    state = _existing(dirs.state())
    yield checks.disk("s2i", str(state), shutil.disk_usage(state).free)
    yield checks.port(*_port())
    yield checks.certificates(command.ca_bundle(os.environ))
    beside = Path(sys.executable).parent / "caddy"
    yield checks.proxy(str(beside) if beside.exists() else shell.find("caddy"))


def _optimised() -> bool:
    """Say whether this Python was built with optimisations, as those of distributions (in /usr) are without a word."""
    import sysconfig

    return sys.base_prefix == "/usr" or "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")


def _of_engine(wanted: tuple[str, ...]) -> Iterator[Check]:
    """Yield what can only be said of an engine that answers. Raises E_DOCKER and its kin."""
    from s2i.engines.docker import checks, connection, firewall
    from s2i.images import clients

    client = connection.client(timeout=10)
    version, info = client.version(), client.info()
    address = connection.host()
    podman = any(part["Name"] == "Podman Engine" for part in version.get("Components") or ())
    yield checks.engine(version["Version"], version["ApiVersion"], address, podman)
    found = clients.find(f"{clients.PODMAN}{version['Version']}" if podman else "")
    yield checks.builder(found.kind, found.path, found.version, found.loss, mendable=not podman)
    yield from _bases(wanted)
    root = info.get("DockerRootDir", "")
    if address.startswith("unix://") and root:
        place = _existing(Path(root))
        yield checks.disk("the engine", root, shutil.disk_usage(place).free)
    yield checks.memory(info.get("MemTotal", 0))
    yield checks.firewall(firewall.hindrance())
    yield from _holes(version, local=address.startswith("unix://"))


def _bases(wanted: tuple[str, ...]) -> Iterator[Check]:
    """Yield what there is, and what can be had: asks a registry when something that is wanted is missing."""
    from s2i.engines.docker import checks
    from s2i.images import bases
    from s2i.images.bases import machine, obtain, offer

    offered = bases.refresh()
    present = {base.python: base.runtime for base in offer.recall().bases}
    registry = None
    if not set(wanted) <= present.keys():
        registry = obtain.registry_answers()
        offered = bases.refresh(registry=registry)
    here = machine.look()
    found = (machine.way(base.python, here) for base in offered if base.obtain == "make")
    ways = {way.python: way.origin for way in found if way}
    yield checks.bases(present, wanted, registry, tuple(ways))
    if ways:
        yield checks.on_demand(ways)


def _holes(version: Mapping[str, Any], local: bool) -> Iterator[Check]:
    """Judge the versions of what runs containers. A changelog of this machine counts for an engine of this machine."""
    from s2i.engines.docker import checks, holes

    parts = {part["Name"].lower(): part for part in version.get("Components") or ()}
    parts = {name: parts[name] for name in ("engine", "containerd", "runc") if name in parts}
    versions = {name: part["Version"].removeprefix("v") for name, part in parts.items()}
    # Debian puts the package's own version where upstream puts the commit.
    shown = {name: _package(part) or versions[name] for name, part in parts.items()}
    found = holes.open_ones(versions, shown, holes.changelog if local else lambda package: "")
    yield from (checks.hole(hole, shown[hole.component]) for hole in found)
    if not found:
        yield checks.no_hole(shown)


def _package(part: Mapping[str, Any]) -> str:
    commit = str((part.get("Details") or {}).get("GitCommit", ""))
    return commit if re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9A-Za-z.+~:-]+", commit) else ""


def _port() -> tuple[int, Literal["nobody", "s2i", "other"]]:
    """Return the port where people reach apps, and who holds it."""
    from s2i import dirs, shell
    from s2i.resources.config import http_port

    number = http_port()
    with contextlib.suppress(OSError, ValueError):
        if shell.alive(int((dirs.runtime() / "caddy.pid").read_text())):
            return number, "s2i"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((os.environ.get("S2I_HTTP_ADDRESS", "127.0.0.1"), number))
        except OSError:
            return number, "other"
    return number, "nobody"


def _existing(path: Path) -> Path:
    """Return ``path``, or the nearest folder above it that exists."""
    return next(place for place in (path, *path.parents) if place.exists())


def _show(found: tuple[Check, ...]) -> None:
    """Print a line for each finding, and below it what to do; without signs where the terminal has none."""
    signs = (sys.stdout.encoding or "").lower().startswith("utf")
    for check in found:
        click.echo(f"{MARKS[check.state][0 if signs else 1]} {safe(check.text)}")
        if check.advice:
            click.echo(f"    {safe(check.advice)}")
