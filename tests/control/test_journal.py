"""The journal of a deployment, when a build prints without end."""

from __future__ import annotations

import json

import pytest

from s2i.control import journal
from s2i.control.journal import Journal


def test_a_flood_of_output_is_cut_once_and_the_end_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LIMIT", 500)
    one = Journal("abc")
    for _ in range(100):
        one.write({"type": "step", "status": "log", "line": "y" * 50})
    one.write({"type": "step", "status": "done", "name": "Install"})
    one.write({"type": "error", "error": {"code": "E_BUILD"}})
    events = [json.loads(line) for line in one.read(0)[0]]
    assert [event["type"] for event in events[-3:]] == ["truncated", "step", "error"]
    assert len(events) < 15
