from __future__ import annotations

import docker.errors
import pytest
import requests

from s2i.engines.docker import listing, ports
from s2i.engines.docker.faults import explained
from s2i.engines.engine import Observed, Owner
from s2i.errors import S2IError

APP = {"s2i.server": "one", "s2i.project": "shop", "s2i.app": "web", "s2i.revision": "3", "s2i.instance": "r3-0"}
OWNER = Owner("shop", "app", "web", 3, instance="r3-0")

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:8F2D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 100 0 0 10 0
   2: 020012AC:1F90 010012AC:C350 01 00000000:00000000 00:00000000 00000000  1001        0 3 1 0 100 0 0 10 0
   3: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 4 1 0 100 0 0 10 0
"""


def _row(role: str, state: str, **labels: str) -> dict[str, object]:
    return {
        "Id": "x",
        "State": state,
        "Created": 100,
        "Labels": APP | {"s2i.role": role, "s2i.port": "9000"} | labels,
        "NetworkSettings": {"Networks": {"net": {"IPAddress": "10.0.0.2"}}},
    }


def test_a_running_sandbox_has_an_address() -> None:
    assert listing.observed(_row("sandbox", "running")) == Observed(
        "x", "sandbox", OWNER, "running", "10.0.0.2:9000", started=100.0
    )


def test_an_exited_sandbox_has_none() -> None:
    assert listing.observed(_row("sandbox", "exited")) == Observed("x", "sandbox", OWNER, "exited", started=100.0)


def test_a_dead_container_counts_as_exited() -> None:
    one = listing.observed(_row("instance", "dead"))
    assert one is not None
    assert one.state == "exited"


def test_labels_that_are_not_ours_are_passed_over() -> None:
    assert listing.observed(_row("helper", "running")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05.5Z", 1767323045.5),
        ("2026-01-02T04:04:05.123456789+01:00", 1767323045.123456789),
        ("0001-01-01T00:00:00Z", 0.0),
        ("", 0.0),
    ],
)
def test_times_of_the_engine(text: str, expected: float) -> None:
    assert listing.epoch(text) == expected


def test_listening_ports_leave_out_the_name_server_and_connections() -> None:
    assert ports.parse(TCP) == (("0.0.0.0", 8080), ("127.0.0.1", 80))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("0" * 32, "::"),
        ("00000000000000000000000001000000", "::1"),
        ("0000000000000000FFFF00000100007F", "127.0.0.1"),
    ],
)
def test_an_address_of_the_newer_table_is_read(words: str, expected: str) -> None:
    assert ports.parse(f"head\n   0: {words}:1F90 {'0' * 32}:0000 0A") == ((expected, 8080),)


def test_ports_of_a_process_that_is_not_there_are_unknown() -> None:
    assert ports.listening(2**30) == ()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (docker.errors.ImageNotFound("x", explanation="No such image: sha256:1"), "E_IMAGE_GONE"),
        (docker.errors.APIError("x", explanation="write /a: no space left on device"), "E_DISK"),
        (docker.errors.APIError("x", explanation="invalid reference format"), "E_CONTAINER"),
        (requests.exceptions.ReadTimeout("Read timed out."), "E_DOCKER"),
        (requests.exceptions.ConnectionError("Connection aborted."), "E_DOCKER"),
    ],
)
def test_what_the_engine_says_has_a_meaning(error: Exception, code: str) -> None:
    with pytest.raises(S2IError) as caught, explained("web", "sha256:1"):
        raise error
    assert caught.value.code == code


def test_a_shim_that_does_not_start_on_a_full_disk_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _place: type("Usage", (), {"free": 4096})())
    with pytest.raises(S2IError) as caught, explained("web"):
        raise docker.errors.APIError("x", explanation="failed to start shim: start failed: io.containerd")
    assert caught.value.code == "E_DISK"
