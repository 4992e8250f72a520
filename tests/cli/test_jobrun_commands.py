"""What `s2i job` and `s2i jobrun` ask of the API, and what they show."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from s2i.cli import cli
from s2i.cli.jobruns import watching
from s2i.errors import E_JOB_FAILED, E_VALUE, S2IError


class Server:
    """A server that answers what a test says, and notes what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, str, Any]]()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        self.asked.append((method, path, body))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def run_of(status: str, *statuses: str, **more: Any) -> dict[str, Any]:
    tasks = [
        {
            "index": index,
            "status": one,
            "attempts": 1,
            "exit": int(one == "failed"),
            "reason": "exit code 1",
            "seconds": 1.0,
        }
        for index, one in enumerate(statuses)
    ]
    counts = {one: statuses.count(one) for one in statuses}
    base = {"name": "report-1", "project": "default", "status": status, "tasks": tasks, "counts": counts, "reason": ""}
    return {**base, "started": 10.0, "finished": 12.5, **more}


def asked(monkeypatch: pytest.MonkeyPatch, server: Server, *words: str) -> Any:
    monkeypatch.setattr("s2i.cli.client.connect", lambda: server)
    return CliRunner().invoke(cli, list(words))


def test_options_become_fields_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(run_of("pending", "pending"))
    words = ("--array-size", "50", "--retrylimit", "2", "--maxexecutiontime", "60", "--parallelism", "4", "--data", "x")
    done = asked(monkeypatch, server, "jobrun", "submit", "report", *words, "--memory", "1G", "-e", "A=1")
    assert (done.exit_code, done.output) == (0, "report-1\n")
    ((method, path, body),) = server.asked
    assert (method, path) == ("POST", "/v1/projects/default/jobs/report/runs")
    assert body["execution"] == {
        "array": "0-49",
        "size": 0,
        "retry_limit": 2,
        "max_seconds": 60.0,
        "parallelism": 4,
    }
    assert (body["data"], body["change"].config, body["change"].env) == ("x", {"memory": 1 << 30}, (("A", "1"),))


def test_named_indices_and_a_size_are_both_told(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(run_of("pending", "pending"))
    asked(monkeypatch, server, "jobrun", "submit", "report", "--array-indices", "8,1-5", "--array-size", "50")
    assert server.asked[0][2]["execution"] == {"size": 50, "array": "1-5,8"}


def test_indices_that_cannot_be_are_refused_before_anybody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server({})
    done = asked(monkeypatch, server, "jobrun", "submit", "report", "--array-indices", "5-1")
    assert isinstance(done.exception, S2IError)
    assert done.exception.kind is E_VALUE
    assert server.asked == []


def test_waiting_ends_with_the_run_and_tells_which_indices_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_LEAST", 0.0)
    server = Server(run_of("pending", "pending", "pending"), run_of("failed", "succeeded", "failed"))
    done = asked(monkeypatch, server, "jobrun", "submit", "report", "--wait")
    assert isinstance(done.exception, S2IError)
    assert done.exception.kind is E_JOB_FAILED
    assert "1 of 2 indices did not succeed: 1" in str(done.exception)
    assert (
        "report-1: failed, 1 of 2 tasks succeeded in 2.5 s\n  index 1: failed after 1 attempt: exit code 1"
        in done.output
    )


def test_how_far_a_run_is_and_how_long_it_may_take() -> None:
    found = run_of("running", "succeeded", "failed", "running", "pending")
    assert watching.progress(found, 20.0) == "report-1: 2 of 4 done, 1 running, 1 failed, about 20 s left"
    assert watching.progress(run_of("pending", "pending"), 1.0) == "report-1: 0 of 1 done, 0 running"


@pytest.mark.parametrize(("seconds", "text"), [(0.5, "0.5 s"), (45, "45 s"), (600, "10 min"), (7200, "2.0 h")])
def test_a_span_is_told_as_people_say_it(seconds: float, text: str) -> None:
    assert watching._span(seconds) == text


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (("--cron", "0 3 * * *"), {"cron": "0 3 * * *"}),
        (("--pause",), {"paused": True}),
        (("--resume", "--data", "x"), {"data": "x", "paused": False}),
    ],
)
def test_a_schedule_is_told_by_what_is_named(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], fields: dict[str, Any]
) -> None:
    one = {"cron": "0 3 * * *", "timezone": "UTC", "paused": fields.get("paused", False)}
    server = Server({"schedule": one, "next": 0.0})
    assert asked(monkeypatch, server, "job", "schedule", "report", *words).exit_code == 0
    assert server.asked == [("PUT", "/v1/projects/default/jobs/report/schedule", fields)]


def test_a_schedule_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    done = asked(monkeypatch, Server({}), "job", "schedule", "report")
    assert isinstance(done.exception, S2IError)
    assert asked(monkeypatch, Server({}), "job", "schedule", "report", "--pause", "--remove").exit_code == 2


@pytest.mark.parametrize("group", ["job", "jobrun"])
def test_each_command_has_an_example(group: str) -> None:
    found = cli.get_command(click.Context(cli), group)
    assert isinstance(found, click.Group)
    for name in found.list_commands(click.Context(found)):
        assert "Example:" in CliRunner().invoke(cli, [group, name, "--help"]).output, name
