"""No command prints a password of an app's or a job's settings, as text or as data; the API tells them to commands."""

from __future__ import annotations

import sys

import msgspec
import pytest

from s2i import cli
from s2i.api.apps import AppView
from s2i.api.jobs import JobView, RunView
from s2i.resources.app import Config, Probe, Revision
from s2i.resources.job import Schedule

PASSWORD = "hunter2"
CONFIG = Config(
    env=(("DATABASE_URL", f"postgres://u:{PASSWORD}@db/x"), ("TOKEN", PASSWORD), ("MODE", f"--token {PASSWORD}")),
    command=("app", "--password", PASSWORD),
    arguments=(f"--token={PASSWORD}",),
    release=("sh", "-c", f"migrate amqp://u:{PASSWORD}@mq"),
    probe_ready=Probe(path=f"/up?token={PASSWORD}"),
)
OTHER = msgspec.structs.replace(
    CONFIG, env=(("DATABASE_URL", f"postgres://u:{PASSWORD}!@db/x"),), arguments=(), cpu=0.5
)
REVISIONS = [
    Revision("default", "shop", 1, "sha256:a", CONFIG, release=CONFIG.release, processes=(("worker", CONFIG.command),)),
    Revision("default", "shop", 2, "sha256:a", OTHER),
]
SHOP = AppView("default", "shop", "http://shop", "ready", 1, revisions=REVISIONS, traffic={1: 100})
REPORT = JobView("default", "report", "sha256:a", CONFIG, schedule=Schedule("@daily", data=f"--token {PASSWORD}"))
RUN = RunView("default", "report", "report-1", "sha256:a", CONFIG, data=f"https://{PASSWORD}@host")
CHANGED = ("--env", f"DATABASE_URL=postgres://u:{PASSWORD}?@db/x", "--command", f"app --password {PASSWORD}x")


class Client:
    """A server with one app, one job, and one run."""

    def call(self, method: str, path: str, body: object = None) -> object:
        noun, one = path.split("/")[4], len(path.split("/")) > 5
        found = RUN if path.endswith("/runs") else {"apps": SHOP, "jobs": REPORT, "jobruns": RUN}[noun]
        return msgspec.json.decode(msgspec.json.encode(found if one else [found]))


@pytest.mark.parametrize(
    "words",
    [
        ("app", "get", "shop"),
        ("app", "revisions", "shop"),
        ("app", "list"),
        ("app", "diff", "shop", "r1", "r2"),
        ("app", "update", "shop", "--dry-run", *CHANGED),
        ("app", "update", "shop", f"https://u:{PASSWORD}@example.com/a/b", "--dry-run"),
        ("app", "scale", "shop", "--max-scale", "2"),
        ("job", "get", "report"),
        ("job", "list"),
        ("job", "update", "report", *CHANGED),
        ("job", "schedule", "report", "--cron", "@daily"),
        ("jobrun", "get", "report-1"),
        ("jobrun", "list"),
        ("jobrun", "cancel", "report-1"),
        ("jobrun", "submit", "report", "--no-wait"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("output", ["", "json", "yaml"])
def test_no_command_prints_a_password(
    words: tuple[str, ...], output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("s2i.cli.client.connect", Client)
    monkeypatch.setattr(sys, "argv", ["s2i", *words, *(("-o", output) if output else ())])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    assert (ended.value.code or 0, told.err) == (0, "")
    assert told.out
    assert PASSWORD not in told.out
