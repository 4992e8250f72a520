"""What `s2i deploy` says when it does not see the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from s2i.cli import deploying, following
from s2i.cli.progress import Progress
from s2i.errors import E_NOT_FOUND, E_SERVER, S2IError
from s2i.sources import Notice

BEGUN = {"id": "d1", "project": "default", "name": "loop", "status": "building"}
ROLLS = {"type": "status", "status": "rolling-out"}


class Client:
    """A server that tells ``events`` and then is interrupted, or gone."""

    def __init__(self, *events: dict[str, object], interrupt: bool = False) -> None:
        self.events, self.interrupt = events, interrupt

    def lines(self, path: str, **query: object) -> Iterator[str]:
        import json

        yield from (json.dumps(event) for event in self.events)
        if self.interrupt:
            raise KeyboardInterrupt

    def call(self, method: str, path: str) -> Any:
        raise E_SERVER(socket="/s", why="Connection refused", log="/l")


@pytest.mark.parametrize(
    ("project", "jobrun", "expected"),
    [
        ("default", "", "the roll-out goes on without us: `s2i app get loop`"),
        ("default", "loop-2", "the run goes on without us: `s2i jobrun get loop-2`"),
        ("team", "loop-2", "the run goes on without us: `s2i jobrun get loop-2 --project team`"),
    ],
)
def test_an_interrupt_says_where_to_look(
    project: str, jobrun: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client: Any = Client({**ROLLS, "jobrun": jobrun}, interrupt=True)
    with pytest.raises(KeyboardInterrupt):
        following.follow(client, "/p", {**BEGUN, "project": project}, Progress())
    assert capsys.readouterr().err == f"note   {expected}\n"


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("building", "cancelled"), ""),
        (("building", "rolling-out", "ready"), "note   that was too late, it is deployed: `s2i app get loop`\n"),
    ],
)
def test_an_interrupt_before_the_roll_out_cancels_and_waits_for_the_end(
    statuses: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = iter(statuses)
    client: Any = Client(interrupt=True)
    called: list[str] = []

    def call(method: str, path: str) -> Any:
        called.append(f"{method} {path}")
        return {"status": next(told)}

    monkeypatch.setattr(client, "call", call)
    with pytest.raises(KeyboardInterrupt):
        following.follow(client, "/p", BEGUN, Progress())
    assert capsys.readouterr().err == expected
    assert called == ["POST /p/cancel", *["GET /p"] * (len(statuses) - 1)]


@pytest.mark.parametrize("mode", ["plain", "quiet"])
def test_all_notices_of_a_deployment_are_in_its_result_and_told(mode: str, capsys: pytest.CaptureFixture[str]) -> None:
    again = {"type": "notice", "code": "W_B", "message": "pin it", "where": "requirements.txt:1"}
    client: Any = Client(again, again, {"type": "notice", "code": "W_C", "message": "it answers 500"})
    client.call = lambda method, path: {"status": "ready"}
    ended = following.follow(client, "/p", BEGUN, Progress(mode), (Notice("W_A", "of the options"),))
    assert ["W_A", "W_B", "W_C"] == [one["code"] for one in ended["warnings"]]
    assert {"code": "W_B", "message": "pin it", "where": "requirements.txt:1"} == ended["warnings"][1]
    said = capsys.readouterr().err.splitlines()
    assert ["note   of the options (W_A)", "note   requirements.txt:1: pin it (W_B)"] == said[:2]


def test_a_deployment_that_is_no_longer_there_was_deleted() -> None:
    def call(method: str, path: str) -> Any:
        raise E_NOT_FOUND(what="app", thing="deployment", name="d1", project="default")

    clients: tuple[Any, ...] = (Client(ROLLS), Client(interrupt=True))
    for client in clients:
        client.call = call
        with pytest.raises(S2IError) as caught:
            following.follow(client, "/p", BEGUN, Progress())
        assert str(caught.value) == '"loop" was deleted while it was being deployed'
        assert (caught.value.code, caught.value.exit) == ("E_DELETED", 6)


class Ended:
    """A server with one job run that has ended."""

    def __init__(self, reason: str) -> None:
        self.run = {"name": "misc-2", "status": "failed", "exit": 137, "reason": reason}

    def call(self, method: str, path: str) -> Any:
        return self.run

    def lines(self, path: str) -> tuple[str, ...]:
        return ('{"instances": []}',)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("too much memory (see --memory)", "misc-2: failed, exit code 137: too much memory (see --memory)"),
        ("exit code 137", "misc-2: failed, exit code 137"),
    ],
)
def test_the_last_line_of_a_job_says_why_it_failed(
    reason: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client: Any = Ended(reason)
    deploying._job_ended(client, "default", {"result": "misc-2"}, show=True)
    assert capsys.readouterr().out == f"{expected}\n"


@pytest.mark.parametrize(
    ("events", "message", "advice"),
    [
        ((ROLLS,), "the server was stopped while loop was being rolled out", "s2i app get loop"),
        (({**ROLLS, "jobrun": "loop-2"},), "the server was stopped while loop was being run", "s2i jobrun get loop-2"),
        ((), "the server was stopped while loop was being built", "run the same command again"),
    ],
)
def test_a_server_that_was_stopped_is_a_passing_fault(
    events: tuple[dict[str, object], ...], message: str, advice: str
) -> None:
    client: Any = Client(*events)
    with pytest.raises(S2IError) as caught:
        following.follow(client, "/p", BEGUN, Progress())
    assert (caught.value.exit, caught.value.message) == (75, message)
    assert advice in caught.value.advice


def test_a_server_that_dies_right_after_the_end_is_asked_for_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    client: Any = Client(ROLLS, {"type": "result", "url": "http://loop"})
    started: list[str] = []

    def call(method: str, path: str) -> Any:
        if not started:
            raise E_SERVER(socket="/s", why="Connection refused", log="/l")
        return {"status": "ready", "result": "http://loop"}

    client.call = call
    monkeypatch.setattr("s2i.cli.client.connect", lambda: started.append("next"))
    assert following.follow(client, "/p", BEGUN, Progress())["status"] == "ready"
    assert started == ["next"]
