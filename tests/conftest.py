"""Unit tests cannot touch the world: processes and sockets raise, outside tests/live."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

# No test of this project times anything: a loaded machine is not a fault. CI tries the same examples each time.
settings.register_profile("s2i", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("s2i")

LIVE = Path(__file__).parent / "live"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --update-golden: write plan.json and Dockerfile of each fixture anew; the diff is the review."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files of fixtures/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is under tests/live, so that `-m "not live"` and `-m live` select by folder."""
    for item in items:
        if LIVE in item.path.parents:
            item.add_marker(pytest.mark.live)


@pytest.fixture(autouse=True)
def _no_world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Raise when a unit test starts a process or opens a socket; give each its own S2I_HOME."""
    monkeypatch.setenv("S2I_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("S2I_PROJECT", raising=False)
    if request.node.get_closest_marker("live") or request.node.get_closest_marker("world"):
        return

    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise AssertionError("a unit test touched the world: move it to tests/live, or mark it `world` and say why")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)
