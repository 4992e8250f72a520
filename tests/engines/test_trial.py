from __future__ import annotations

from pathlib import Path

import s2i
from s2i.engines.docker import ports, trial
from s2i.engines.docker.hardening import container_settings
from s2i.engines.engine import Owner, Workload
from s2i.resources.app import Config

APP = Owner("shop", "app", "web", 3, instance="proof")
WORK = Workload(APP, "sha256:app", Config(env=(("A", "1"),), port=9000))


def test_a_proof_is_confined_like_an_instance_and_has_no_network() -> None:
    instance = container_settings("instance", WORK, server="one", image="i", network="none")
    proof = container_settings("proof", WORK, server="one", image="i", network="none")
    assert proof["HostConfig"] == instance["HostConfig"]
    assert proof["HostConfig"]["NetworkMode"] == "none"
    assert (proof["User"], proof["Env"]) == ("1001:0", ["A=1", "HOME=/tmp", "PORT=9000"])
    assert proof["Labels"]["s2i.role"] == "proof"
    assert "NetworkingConfig" not in proof


def test_only_a_trial_creates_containers_beside_the_engine() -> None:
    """THREATS T43: it, too, goes through container_settings; what volumes are given away with never runs, see there."""
    package = Path(s2i.__file__).parent
    makers = {
        path.relative_to(package).as_posix(): "container_settings(" in path.read_text()
        for path in package.rglob("*.py")
        if "containers/create" in path.read_text()
    }
    assert makers == {"engines/docker/trial.py": True, "engines/docker/volumes.py": False}


def frame(text: bytes, stream: int = 1) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(text).to_bytes(4, "big") + text


def test_frames_of_both_streams_are_put_together_however_they_are_cut() -> None:
    whole = frame(b"one\ntw") + frame(b"o\n", 2) + frame(b"\n\x01\x00") + frame(b"end")
    for size in (1, 3, 7, 1000):
        pieces = (whole[at : at + size] for at in range(0, len(whole), size))
        assert list(trial._lines(trial._unframed(pieces))) == [b"one", b"two", b"", b"\x01\x00end"]


def test_a_flood_is_cut() -> None:
    lines = list(trial._lines(iter([b"x" * 65536] * 100)))
    assert sum(map(len, lines)) <= trial.OUTPUT_LIMIT
    endless = (b"a\n" * 1000 for _ in iter(int, 1))
    assert len(list(trial._lines(endless))) * 2 <= trial.OUTPUT_LIMIT + 2000


def test_an_address_of_the_kernel_is_read() -> None:
    assert ports.address("0100007F:1F90") == ("127.0.0.1", 8080)
    assert ports.address("00000000000000000000000000000000:0050") == ("::", 80)
