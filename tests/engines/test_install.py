"""What is run to install and start an engine, and that a working one is left alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from s2i import shell
from s2i.engines.docker import install
from s2i.errors import E_DOCKER, E_DOCKER_PERMISSION, S2IError

INSTALL = ("apt-get", "-o=DPkg::Lock::Timeout=120", "-o=Dpkg::Use-Pty=0", "install", "--yes", "--no-install-recommends")
UPDATE = install.update_command()


class Machine:
    """A bare Debian: apt, dpkg, no engine until ``dockerd`` (or what apt installs) starts one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.said: list[str] = []
        self.packages = {"git", "ca-certificates"}
        self.known = {"docker-buildx"}
        self.failing = 0  # so many installations fail
        self.answers = False
        self.error = E_DOCKER(socket="unix:///var/run/docker.sock", why="there is no such socket")
        self.spawned: list[tuple[str, ...]] = []
        self.dies = False
        self.lists = tmp_path / "lists"
        self.run_folder = tmp_path / "run"
        for folder in (self.lists, self.run_folder):
            folder.mkdir()
        (self.lists / "deb.example_dists_bookworm_main_binary-amd64_Packages.lz4").touch()
        monkeypatch.setattr(install, "LISTS", self.lists)
        monkeypatch.setattr(install, "RUN", self.run_folder)
        monkeypatch.setattr(install, "SYSTEMD", tmp_path / "systemd")
        monkeypatch.setattr(install, "APPARMOR", tmp_path / "apparmor")
        monkeypatch.setattr(install.connection, "client", self.client)
        monkeypatch.setattr(install.connection, "host", lambda: install.connection.DEFAULT)
        monkeypatch.setattr(install.os, "geteuid", lambda: 0)
        monkeypatch.setattr(install.shell, "find", lambda name: f"/usr/bin/{name}")
        monkeypatch.setattr(install.shell, "run", self.run)
        monkeypatch.setattr(install.shell, "spawn", self.spawn)
        monkeypatch.setattr(install.shell, "alive", lambda pid: not self.dies)

    def client(self, timeout: float) -> None:
        if not self.answers:
            raise self.error

    def run(self, argv: Sequence[str], *, timeout: float, env: Mapping[str, str] | None = None) -> shell.Completed:
        match argv[0]:
            case "dpkg-query":
                return shell.Completed(0, b"installed" if argv[-1] in self.packages else b"config-files", b"")
            case "apt-cache":
                return shell.Completed(0 if argv[-1] in self.known else 100, b"", b"")
        self.ran.append(tuple(argv))
        if "install" in argv and self.failing:
            self.failing -= 1
            return shell.Completed(100, b"", b"E: Unable to fetch some archives\n")
        if "install" in argv:
            assert env is not None
            assert env["DEBIAN_FRONTEND"] == "noninteractive"
        if argv[0] == "systemctl":
            self.answers = True
        return shell.Completed(0, b"", b"")

    def spawn(self, argv: Sequence[str], *, log: Path) -> int:
        self.spawned.append(tuple(argv))
        log.write_bytes(b"time=1 level=info msg=noise\nfailed to start daemon: no such driver\n")
        self.answers = not self.dies
        return 4242

    def ensure(self) -> None:
        install.ensure_engine(self.said.append)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    return Machine(monkeypatch, tmp_path)


def test_an_engine_that_answers_is_left_alone(machine: Machine) -> None:
    machine.answers = True
    machine.ensure()
    assert (machine.ran, machine.spawned, machine.said) == ([], [], [])


def test_a_bare_machine_gets_the_distributions_engine_and_buildx_where_packaged(machine: Machine) -> None:
    machine.ensure()
    assert machine.ran == [(*INSTALL, "docker.io", "iptables", "docker-buildx")]
    assert machine.spawned == [("dockerd",)]
    assert machine.said[0] == "installing docker.io, iptables, docker-buildx"
    assert machine.said[-1] == "the Docker Engine answers: 0 s"


def test_the_lists_of_apt_are_fetched_when_there_are_none(machine: Machine) -> None:
    for path in machine.lists.iterdir():
        path.unlink()
    install.install(("docker.io",), machine.said.append)
    assert machine.ran == [UPDATE, (*INSTALL, "docker.io")]


def test_a_failed_installation_is_tried_again_with_fresh_lists(machine: Machine) -> None:
    machine.failing = 1
    install.install(("docker.io",), machine.said.append)
    assert machine.ran == [(*INSTALL, "docker.io"), UPDATE, (*INSTALL, "docker.io")]


def test_packages_that_cannot_be_installed_are_named_with_what_apt_said(machine: Machine) -> None:
    machine.failing = 2
    with pytest.raises(S2IError) as caught:
        install.install(("docker.io",), machine.said.append)
    assert (caught.value.code, caught.value.exit) == ("E_PACKAGES", 6)
    assert caught.value.message == (
        "the packages docker.io cannot be installed: apt-get failed:\n  E: Unable to fetch some archives"
    )


def test_installed_packages_are_not_installed_again(machine: Machine) -> None:
    install.install(("git", "ca-certificates"), machine.said.append)
    assert (machine.ran, machine.said) == ([], [])


def test_a_kernel_with_apparmor_gets_its_parser_too(machine: Machine) -> None:
    install.APPARMOR.write_text("Y\n")
    machine.ensure()
    assert machine.ran == [(*INSTALL, "docker.io", "iptables", "docker-buildx", "apparmor")]


def test_systemd_starts_the_engine_where_it_is_in_charge(machine: Machine) -> None:
    install.SYSTEMD.mkdir()
    machine.packages |= {"docker.io", "iptables", "docker-buildx"}
    machine.ensure()
    assert machine.ran == [("systemctl", "enable", "--now", "docker")]
    assert machine.spawned == []


def test_an_engine_that_ends_at_once_is_explained_with_its_last_lines(machine: Machine) -> None:
    machine.dies = True
    with pytest.raises(S2IError) as caught:
        machine.ensure()
    assert (caught.value.code, caught.value.exit) == ("E_ENGINE_START", 6)
    assert caught.value.message == (
        "the Docker Engine does not start: it ended at once; the last it said:\n"
        "  failed to start daemon: no such driver"
    )


def test_the_process_id_file_of_a_dead_engine_is_removed(machine: Machine) -> None:
    (machine.run_folder / "docker.pid").write_text("1")  # alive, and not a dockerd
    machine.ensure()
    assert not (machine.run_folder / "docker.pid").exists()


def test_without_root_nothing_is_installed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.os, "geteuid", lambda: 1000)
    with pytest.raises(S2IError) as caught:
        machine.ensure()
    assert caught.value.message == "cannot install a Docker Engine here: that needs root"
    assert caught.value.advice.startswith("run it as root: `sudo ")
    assert machine.ran == []


def test_on_another_system_nothing_is_installed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.shell, "find", lambda name: None)
    with pytest.raises(S2IError) as caught:
        machine.ensure()
    assert caught.value.message == ("cannot install a Docker Engine here: s2i installs one on Debian and Ubuntu only")


def test_an_engine_elsewhere_that_does_not_answer_is_not_replaced(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install.connection, "host", lambda: "ssh://root@server.example")
    with pytest.raises(S2IError) as caught:
        machine.ensure()
    assert caught.value.code == "E_CANNOT_FIX"
    assert machine.ran == []


def test_a_socket_that_is_not_permitted_is_no_reason_to_install(machine: Machine) -> None:
    machine.error = E_DOCKER_PERMISSION(socket="unix:///var/run/docker.sock")
    with pytest.raises(S2IError) as caught:
        machine.ensure()
    assert caught.value.code == "E_DOCKER_PERMISSION"
    assert machine.ran == []
