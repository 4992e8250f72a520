"""A network is entered only when its process is the container's."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from s2i.engines.docker import netns


def test_a_process_of_another_container_or_none_is_not_entered() -> None:
    before = Path("/proc/thread-self/ns/net").readlink()
    done: list[bool] = []

    def work() -> None:
        done.extend(netns.enter(pid, "0" * 64) for pid in (0, -1, os.getpid(), 2**22 + 1))
        done.append(Path("/proc/thread-self/ns/net").readlink() == before)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [False, False, False, False, True]


@pytest.mark.parametrize(("host", "possible"), [("unix:///var/run/docker.sock", True), ("tcp://10.0.0.1:2376", False)])
def test_only_an_engine_behind_a_local_socket_is_in_reach(
    host: str, possible: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert netns.is_possible() is possible
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not netns.is_possible()
