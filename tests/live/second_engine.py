"""A Docker Engine of a test's own, beside the installed one: a newer release, or one that may be killed and filled.

It is made of Debian's packages, unpacked and installed nowhere, and lives in namespaces of its own: its network is
that of a container of the installed engine (which gives it an address, a way out, and names), its mounts hide the
installed engine's sockets, and its processes end with the process that started it. Use it so::

    with SecondEngine(installed, store="containerd") as second:
        second.take("s2i.local/python:3.13")     # an image of the installed engine
        monkeypatch.setenv("DOCKER_HOST", second.host)
        second.die(); second.start()             # kill -9, as often as a test likes

Everything that it made is gone at the end of the block. What a killed test session left is removed by the next one.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, Self

import docker
import docker.errors
import requests.exceptions

from s2i.engines.docker import install
from s2i.images import bases
from s2i.images.bases import mirror, offer
from s2i.planning.plan import Base

SUITE = "forky"  # Docker 28, with buildx and containerd to match; runc is this machine's
PACKAGES = ("docker.io", "docker-buildx", "containerd")
LABEL = "s2i.test.second-engine"  # value: the process id of the tests that made it
PREFIX = "s2i-second-"
START_SECONDS = 30.0
CLONE_NEWNET = 0x40000000  # os.setns comes with Python 3.12
APT = """Dir::Etc::sourcelist "{folder}/sources.list"; Dir::Etc::sourceparts "-"; Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}"; APT::Sandbox::User "root"; Acquire::Languages "none";
"""
# Process 1 of the engine's namespace: takes in what dies there, and with it ends all that is left. The folders that it
# covers are those where this machine's own engine and containerd have their sockets.
HOLD = """
for folder in /run/docker /run/containerd; do mkdir -p $folder && mount -t tmpfs tmpfs $folder || exit 1; done
mount -t tmpfs -o "size=$3" tmpfs "$2" || exit 1
echo held
exec "$1" -c 'import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True: signal.pause()'
"""
Store = Literal["graphdriver", "containerd"]


def base() -> Base:
    """Return a base that the installed engine has, and that no test makes and removes."""
    bases.refresh()
    return next(one for one in offer.recall().bases if one.python in bases.defaults())


class SecondEngine:
    """A second engine. ``host`` goes into DOCKER_HOST; ``address``: where ports that it publishes are reached.

    ``store``: where it keeps images. ``size``: of the file system in memory that its data is on, as mount writes it.
    """

    def __init__(self, installed: docker.DockerClient, store: Store = "graphdriver", size: str = "4g") -> None:
        self._installed, self._store, self._size = installed, store, size
        self._daemon: subprocess.Popen[bytes] | None = None
        self._left = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.folder = Path(tempfile.mkdtemp(prefix=PREFIX))
            stack.callback(_removed, self.folder)
            self.host, self.log = f"unix://{self.folder}/docker.sock", self.folder / "log"
            self._data = self.folder / "data"
            self._data.mkdir()
            (self.folder / "daemon.json").write_text("{}")
            self._programs = programs()
            network = stack.enter_context(self._network())
            self._holder = stack.enter_context(self._held(network))
            self.start()
            self._left = stack.pop_all()
        return self

    def __exit__(self, *_error: object) -> None:
        self._left.close()

    def client(self) -> docker.DockerClient:
        """Return a client of it."""
        return docker.DockerClient(base_url=self.host, timeout=120)

    def take(self, *images: str) -> None:
        """Load images of the installed engine."""
        for image in images:
            self.client().api.load_image(self._installed.api.get_image(image))

    def pid(self) -> int:
        """Return the process of the daemon."""
        assert self._daemon is not None
        return _child(self._daemon.pid)

    def inside(self) -> tuple[str, ...]:
        """Return what goes before a command that is to run in its network, where addresses of containers lead there."""
        return ("nsenter", f"--target={self._holder}", "--net")

    def enter(self) -> None:
        """Put the calling thread, and it alone, into its network."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{self._holder}/ns/net").open() as file:
            assert libc.setns(file.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    def files(self) -> Path:
        """Return its data folder, a file system of its own, as this process can reach it."""
        return Path(f"/proc/{self._holder}/root{self._data}")

    def die(self) -> None:
        """Kill the daemon with SIGKILL; its containerd and its containers go on. ``start`` starts it again."""
        assert self._daemon is not None
        os.kill(self.pid(), signal.SIGKILL)
        self._daemon.wait(START_SECONDS)

    @contextlib.contextmanager
    def cut_off(self) -> Iterator[None]:
        """Let no answer through to it for the block: whom it asks does not even refuse."""
        rule = ("INPUT", "-i", "eth0", "-j", "DROP")
        inside = (*self.inside(), "iptables", "--wait")
        _run(*inside, "--insert", *rule)
        try:
            yield
        finally:
            _run(*inside, "--delete", *rule)

    def start(self) -> None:
        """Start the daemon and wait until it answers. Raises AssertionError with the end of its log."""
        inside = ("nsenter", f"--target={self._holder}", "--mount", "--net", "--pid")
        path = f"{self._programs}/usr/bin:{self._programs}/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                (*inside, *self._command()), env={**os.environ, "PATH": path}, stdout=log, stderr=log
            )
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > end:
                said = self.log.read_text(errors="replace").splitlines()[-20:]
                raise AssertionError("\n".join(("the second engine does not start:", *said)))
            time.sleep(0.05)

    def _command(self) -> tuple[str, ...]:
        return (
            "dockerd",
            f"--config-file={self.folder}/daemon.json",
            f"--data-root={self._data}",
            f"--exec-root={self.folder}/exec",
            f"--pidfile={self.folder}/pid",
            f"--host={self.host}",
            f"--cgroup-parent=/{self.folder.name}",
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--feature=containerd-snapshotter={'true' if self._store == 'containerd' else 'false'}",
        )

    def _answers(self) -> bool:
        try:
            return bool(docker.DockerClient(base_url=self.host, timeout=5).ping())
        except (docker.errors.DockerException, requests.exceptions.RequestException):
            return False

    @contextlib.contextmanager
    def _network(self) -> Iterator[int]:
        """Yield the process of a container of the installed engine, whose network the second one uses."""
        container = self._installed.containers.run(
            base().runtime,
            ["python3", "-c", "import signal; signal.pause()"],
            detach=True, init=True, labels={LABEL: str(os.getpid())},
        )  # fmt: skip
        try:
            container.reload()
            self.address = str(container.attrs["NetworkSettings"]["IPAddress"])
            yield int(container.attrs["State"]["Pid"])
        finally:
            container.remove(force=True, v=True)

    @contextlib.contextmanager
    def _held(self, network: int) -> Iterator[int]:
        """Yield the process that holds the namespaces; the end of the block ends everything in them."""
        apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
        argv = (
            "nsenter", f"--net=/proc/{network}/ns/net", "setpriv", "--pdeathsig=KILL", *apart,
            "sh", "-c", HOLD, "hold", sys.executable, str(self._data), self._size,
        )  # fmt: skip
        with self.log.open("ab") as log:
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n", self.log.read_text(errors="replace")
            yield _child(process.pid)
        finally:
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(_child(process.pid), signal.SIGKILL)  # unshare ends when all of the namespace has
            process.wait(START_SECONDS)
            if self._daemon is not None:
                self._daemon.wait(START_SECONDS)


def programs() -> Path:
    """Return the folder with the unpacked packages; fetched once, then kept in the cache of the tests (about 8 s)."""
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "s2i-tests" / SUITE
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as draft:
            _unpack(Path(draft))
            with contextlib.suppress(OSError):  # another session was as fast
                (Path(draft) / "x").rename(place)
    return place


def buildx() -> Path:
    """Return the buildx that comes with these engines."""
    return programs() / "usr/libexec/docker/cli-plugins/docker-buildx"


def sweep(installed: docker.DockerClient) -> None:
    """Remove what sessions left that were killed: their engines have ended, containers and folders are there."""
    folders = []
    for container in installed.containers.list(ignore_removed=True, all=True, filters={"label": LABEL}):
        if not Path(f"/proc/{container.labels[LABEL]}").exists():
            container.remove(force=True, v=True)
            folders += [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if not _used(path)]
    for folder in dict.fromkeys(folders):
        _removed(folder)


def _used(folder: Path) -> bool:
    """Say whether an engine of this folder runs."""
    return any(str(folder) in text for text in map(_arguments, Path("/proc").glob("[0-9]*/cmdline")))


def _arguments(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _unpack(folder: Path) -> None:
    install.install(("debian-archive-keyring",), print)
    for path in ("lists/partial", "archives/partial"):
        (folder / path).mkdir(parents=True)
    (folder / "sources.list").write_text(f"deb [signed-by={mirror.KEYRING}] {mirror.find().archive} {SUITE} main\n")
    (folder / "apt.conf").write_text(APT.format(folder=folder))
    env = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    _run("apt-get", "update", env=env)
    _run("apt-get", "download", *PACKAGES, env=env, cwd=folder)
    packages = sorted(folder.glob("*.deb"))
    assert len(packages) == len(PACKAGES), packages
    for package in packages:
        _run("dpkg", "-x", str(package), str(folder / "x"))


def _run(*argv: str, **options: Any) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=240, check=False, **options)
    assert done.returncode == 0, (argv, done.stdout[-2000:], done.stderr[-2000:])


def _child(pid: int) -> int:
    """Return the only child of a process. Raises IndexError when there is none."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def _removed(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    groups = Path("/sys/fs/cgroup")
    for group in (groups / folder.name, *groups.glob(f"*/{folder.name}")):
        for path, *_ in os.walk(group, topdown=False):  # a container that was killed with its engine has left its own
            with contextlib.suppress(OSError):
                Path(path).rmdir()
