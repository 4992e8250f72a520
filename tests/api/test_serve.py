from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from s2i import dirs
from s2i.api import serve
from s2i.api.serve import LogFile


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("S2I_HOME", str(tmp_path))
    dirs.server_log().parent.mkdir(parents=True)
    return dirs.server_log()


def test_the_log_of_a_server_that_runs_on_begins_anew_when_it_is_full(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with log.open("a") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        handler = LogFile(log, limit=1000)
        for number in range(100):
            handler.emit(logging.makeLogRecord({"msg": f"{number} {'x' * 90}"}))
        os.write(stderr.fileno(), b"unasked\n")
        handler.close()
    assert sorted(path.name for path in log.parent.iterdir()) == ["server.log", "server.log.1"]
    assert all(path.stat().st_size <= 1000 for path in log.parent.iterdir())
    assert log.read_text().splitlines()[-2:] == [f"99 {'x' * 90}", "unasked"]


def test_only_a_server_in_the_background_turns_its_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path, kind in ((log, LogFile), (log.with_name("other"), logging.StreamHandler)):
        with path.open("a") as stderr:
            monkeypatch.setattr(sys, "stderr", stderr)
            handler = serve._log_handler()
            assert type(handler) is kind
            handler.close()
