"""Install the distribution's Docker Engine and start it, where none answers. A working engine is never touched."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from s2i import dirs, shell
from s2i.engines.docker import connection
from s2i.errors import E_CANNOT_FIX, E_DOCKER, E_ENGINE_START, E_PACKAGES, S2IError

ENGINE = ("docker.io", "iptables", "git", "ca-certificates")
IF_PACKAGED = ("docker-cli", "docker-buildx")  # packages of their own from Debian 13 and Ubuntu 24.04 on
LISTS = Path("/var/lib/apt/lists")
APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
RUN = Path("/var/run")
SYSTEMD = Path("/run/systemd/system")
APT_SECONDS = 900.0
START_SECONDS = 60.0
NONINTERACTIVE = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
Say = Callable[[str], None]


def ensure_engine(say: Say) -> None:
    """Make sure that a Docker Engine answers: do nothing when one does, else install what is missing and start it.

    Says one line for each action. Raises E_CANNOT_FIX, E_PACKAGES, E_ENGINE_START, E_DOCKER_PERMISSION.
    """
    try:
        connection.client(timeout=10)
    except S2IError as error:
        if error.kind is not E_DOCKER:
            raise
    else:
        return
    if connection.host() != connection.DEFAULT:
        raise E_CANNOT_FIX(
            why=f"{connection.host()} was asked for (DOCKER_HOST or a docker context) and does not answer"
        )
    refuse_unless_possible()
    install((*ENGINE, *available(IF_PACKAGED), *_apparmor()), say)
    if not _answers():
        _start(say)


def refuse_unless_possible() -> None:
    """Raise E_CANNOT_FIX unless this is root on a Debian or an Ubuntu."""
    if shell.find("apt-get") is None or shell.find("dpkg-query") is None:
        raise E_CANNOT_FIX(why="s2i installs one on Debian and Ubuntu only")
    if os.geteuid() != 0:
        raise E_CANNOT_FIX(
            why="that needs root", advice="run it as root: `sudo $(command -v s2i) doctor --fix`, or ask who is"
        )


def install(packages: Sequence[str], say: Say) -> None:
    """Install those of the Debian ``packages`` that are missing; refresh apt's lists when that is needed.

    Raises E_PACKAGES.
    """
    missing = tuple(name for name in packages if not installed(name))
    if not missing:
        return
    start = time.monotonic()
    say(f"installing {', '.join(missing)}")
    if not any(LISTS.glob("*_Packages*")):
        _apt(update_command())
    ended = _apt(install_command(missing))
    if ended.code:  # the lists may be older than the archive
        _apt(update_command())
        ended = _apt(install_command(missing))
    if ended.code:
        tail = (ended.out + ended.err).decode(errors="replace").strip().splitlines()[-8:]
        raise E_PACKAGES(packages=", ".join(missing), why="apt-get failed:", log=tail)
    say(f"installed {', '.join(missing)}: {time.monotonic() - start:.0f} s")


def installed(package: str) -> bool:
    """Say whether dpkg has ``package`` installed."""
    ended = shell.run(("dpkg-query", "--show", "--showformat=${db:Status-Status}", package), timeout=30)
    return ended.code == 0 and ended.out == b"installed"


def available(packages: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``packages`` that apt knows."""
    if not any(LISTS.glob("*_Packages*")):
        _apt(update_command())
    return tuple(name for name in packages if shell.run(("apt-cache", "show", name), timeout=60).code == 0)


def update_command() -> tuple[str, ...]:
    """Return the call that refreshes apt's lists. One dead third-party source must not hold it up for long."""
    return (
        "apt-get",
        "-o=DPkg::Lock::Timeout=120",
        "-o=Acquire::Retries=1",
        "-o=Acquire::http::Timeout=20",
        "-o=Acquire::https::Timeout=20",
        "update",
    )


def install_command(packages: Sequence[str]) -> tuple[str, ...]:
    """Return the call that installs ``packages`` and what they need, nothing that they recommend."""
    return (
        "apt-get",
        "-o=DPkg::Lock::Timeout=120",
        "-o=Dpkg::Use-Pty=0",
        "install",
        "--yes",
        "--no-install-recommends",
        *packages,
    )


def _apt(argv: Sequence[str]) -> shell.Completed:
    try:
        return shell.run(argv, timeout=APT_SECONDS, env={**os.environ, **NONINTERACTIVE})
    except shell.TimedOut as late:
        raise E_PACKAGES(packages=argv[-1], why=str(late), log=()) from None


def _apparmor() -> tuple[str, ...]:
    """Return the package without which an engine on a kernel with AppArmor cannot start a container."""
    with contextlib.suppress(OSError):
        if APPARMOR.read_text().startswith("Y"):
            return ("apparmor",)
    return ()


def _start(say: Say) -> None:
    """Start the installed engine, by systemd where that is in charge, and wait until it answers."""
    start = time.monotonic()
    log = dirs.make_private(dirs.state()) / "dockerd.log"
    if SYSTEMD.is_dir():
        say("starting the Docker Engine: systemctl enable --now docker")
        ended = shell.run(("systemctl", "enable", "--now", "docker"), timeout=START_SECONDS)
        place = "`journalctl --unit docker`"
        if ended.code:
            raise E_ENGINE_START(why="systemctl failed:", log=_tail(ended.err), place=place)
        _wait(None, log, place)
    elif pid := _running("docker.pid", "dockerd"):
        say(f"waiting for the dockerd that runs already (process {pid})")
        _wait(pid, log, "wherever that process writes it")
    else:
        _forget_dead()
        say(f"starting the Docker Engine: dockerd (its log: {log})")
        mark = log.stat().st_size if log.exists() else 0
        _wait(shell.spawn(("dockerd",), log=log), log, str(log), mark)
    say(f"the Docker Engine answers: {time.monotonic() - start:.0f} s")


def _wait(pid: int | None, log: Path, place: str, mark: int = 0) -> None:
    """Return when the engine answers. ``mark``: where in ``log`` what this process said begins, bytes."""
    deadline = time.monotonic() + START_SECONDS
    while not _answers():
        dead = pid is not None and not shell.alive(pid)
        if dead or time.monotonic() > deadline:
            why = "it ended at once; the last it said:" if dead else f"no answer within {START_SECONDS:g} s"
            said = log.read_bytes()[mark:] if log.exists() else b""
            raise E_ENGINE_START(why=why, log=_tail(said), place=place)
        time.sleep(0.2)


def _answers() -> bool:
    try:
        connection.client(timeout=5)
    except S2IError:
        return False
    return True


def _forget_dead() -> None:
    """Remove the process id files of an engine that died: a new one takes a reused number for the old engine."""
    for file, program in (("docker.pid", "dockerd"), ("docker/containerd/containerd.pid", "containerd")):
        if not _running(file, program):
            (RUN / file).unlink(missing_ok=True)


def _running(file: str, program: str) -> int | None:
    """Return the process that the id file under /var/run names, when it is alive and is ``program``."""
    try:
        pid = int((RUN / file).read_text().strip())
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except (OSError, ValueError):
        return None
    return pid if name == program and shell.alive(pid) else None


def _tail(text: bytes) -> list[str]:
    lines = text.decode(errors="replace").strip().splitlines()
    return [line for line in lines if " level=info " not in line][-8:]
