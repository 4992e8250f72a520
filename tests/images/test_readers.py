"""Recorded output of each builder becomes the same story."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from s2i.images.classic import ClassicReader
from s2i.images.events import StepEvent, StepResult
from s2i.images.log import CUT, LOG_LIMIT, BuildLog, readable
from s2i.images.progress import PlainReader, RawReader, Reader
from s2i.images.steps import StepNames

RECORDED = Path(__file__).parent / "recorded"
NAMES = StepNames((RECORDED / "Dockerfile").read_text())
CLASSIC_NAMES = StepNames((RECORDED / "classic.Dockerfile").read_text())

VENV = "A virtual environment, which is all that the image takes from this stage"
MANIFEST = "What is to be installed, before the source: a changed line keeps what follows"
INSTALL = "Install the dependencies"
STEPS = {
    "start from s2i.local/python-build:3.13",
    "start from s2i.local/python:3.13",
    VENV,
    MANIFEST,
    INSTALL,
    "The environment, without the tools that made it",
    "The source, last: it changes most often",
    "Compile the source once here instead of at each start: the container cannot write",
}
WRITE = "write the image"
TRUST = "The certificate authorities that this machine trusts"

READERS: list[tuple[str, Callable[[], Reader], set[str]]] = [
    ("docker", lambda: PlainReader(NAMES), STEPS | {WRITE}),
    ("buildx-0.13", lambda: RawReader(NAMES), STEPS | {WRITE}),
    ("buildx-0.29", lambda: RawReader(NAMES), STEPS | {WRITE}),
    ("classic", lambda: ClassicReader(CLASSIC_NAMES), STEPS | {TRUST}),
]
FAILING = [row for row in READERS if row[0] != "buildx-0.13"]


def replayed(name: str, reader: Reader) -> list[StepEvent]:
    lines = (RECORDED / f"{name}.txt").read_bytes().splitlines(keepends=True)
    return [event for line in lines for event in reader.feed(line)]


@pytest.mark.parametrize(("name", "make", "steps"), READERS, ids=[row[0] for row in READERS])
def test_each_step_starts_and_ends_once(name: str, make: Callable[[], Reader], steps: set[str]) -> None:
    events = replayed(f"{name}-ok", make())
    for status in ("started", "done"):
        told = [event.name for event in events if event.status == status]
        assert (sorted(told), status) == (sorted(steps), status)
    assert {event.status for event in events} == {"started", "log", "done"}


@pytest.mark.parametrize(("name", "make", "steps"), READERS, ids=[row[0] for row in READERS])
def test_the_lines_of_a_step_come_between_its_start_and_its_end(
    name: str, make: Callable[[], Reader], steps: set[str]
) -> None:
    events = [event for event in replayed(f"{name}-ok", make()) if event.name == INSTALL]
    assert [events[0].status, events[-1].status] == ["started", "done"]
    lines = [event.line for event in events[1:-1]]
    assert lines[0] == "Using Python 3.13.5 environment at: /opt/venv"
    assert " + flask==3.1.3" in lines
    assert all("\x1b" not in line and "\n" not in line for line in lines)


@pytest.mark.parametrize(("name", "make", "steps"), READERS, ids=[row[0] for row in READERS])
def test_the_log_remembers_the_steps(name: str, make: Callable[[], Reader], steps: set[str]) -> None:
    reader = make()
    replayed(f"{name}-ok", reader)
    assert {step.name for step in reader.log.steps} == steps
    assert reader.log.failed is None


@pytest.mark.parametrize(("name", "make", "steps"), FAILING, ids=[row[0] for row in FAILING])
def test_the_step_that_failed_is_known_with_its_last_lines(
    name: str, make: Callable[[], Reader], steps: set[str]
) -> None:
    reader = make()
    events = replayed(f"{name}-bad", reader)
    assert [event.name for event in events if event.status == "failed"] == [INSTALL]
    assert reader.log.failed is not None
    cause = "  cause: Because nosuchpkg-zzz was not found in the package registry and you require nosuchpkg-zzz==9.9,"
    assert [line for line in reader.log.lines() if line.startswith(cause)] != []


def test_cached_steps_take_no_time_and_are_told_of_in_the_order_of_the_dockerfile() -> None:
    reader = PlainReader(NAMES)
    lines = (
        b"#8 [build 5/5] RUN uv pip install\n",
        b"#8 CACHED\n",
        b"#9 [build 3/5] RUN uv venv --python /usr/bin/python3 /opt/venv\n",
        b"#9 CACHED\n",
        b"#10 exporting to image\n",
        b"#10 DONE 0.2s\n",
    )
    ends = [event for line in lines for event in reader.feed(line) if event.status != "started"]
    assert ends == [
        StepEvent("cached", "9", VENV),
        StepEvent("cached", "8", INSTALL),
        StepEvent("done", "10", "write the image", 0.2),
    ]
    assert reader.log.steps[0] == StepResult(VENV, True, 0.0)


def test_a_step_that_was_ended_for_another_is_not_the_one_that_failed() -> None:
    reader = PlainReader(NAMES)
    for line in (
        b"#9 [build 3/5] RUN uv venv\n",
        b"#5 [stage-1 2/5] COPY . /\n",
        b"#9 ERROR: exit code: 1\n",
        b"#5 ERROR: context canceled\n",
        b"#5 CANCELED\n",
    ):
        list(reader.feed(line))
    assert reader.log.failed == StepEvent("failed", "9", VENV, line="exit code: 1")


def test_a_quiet_step_speaks_up_when_it_fails() -> None:
    reader = PlainReader(NAMES)
    lines = (
        b"#3 [internal] load metadata for s2i.local/nosuch:1\n",
        b'#3 ERROR: failed to do request: Head "https://s2i.local/v2/nosuch/manifests/1"\n',
    )
    assert [event for line in lines for event in reader.feed(line)] == [
        StepEvent(
            "failed", "3", "load metadata for s2i.local/nosuch:1",
            line='failed to do request: Head "https://s2i.local/v2/nosuch/manifests/1"',
        )
    ]  # fmt: skip


def test_what_the_client_itself_says_is_kept() -> None:
    for reader in (PlainReader(NAMES), RawReader(NAMES), ClassicReader(NAMES)):
        assert list(reader.feed(b"ERROR: Cannot connect to the Docker daemon\n")) == []
        assert reader.log.lines() == ("ERROR: Cannot connect to the Docker daemon",)


def test_a_status_that_comes_in_pieces_is_put_together() -> None:
    whole, reader = RawReader(NAMES), RawReader(NAMES)
    expected = replayed("buildx-0.29-ok", whole)
    text = (RECORDED / "buildx-0.29-ok.txt").read_bytes()
    pieces = [
        line[at : at + 100] + b"\n" for line in text.splitlines() for at in range(0, len(line), 100)
    ]  # as the reader of a pipe cuts a line that is too long
    assert [event for piece in pieces for event in reader.feed(piece)] == expected


def test_json_that_is_no_status_harms_nothing() -> None:
    for line in (b"{}\n", b'{"vertexes": null}\n', b'{"a": [1, 2]}\n', b"{]}\n"):
        assert list(RawReader(NAMES).feed(line)) == []


def test_a_flood_of_output_is_cut_and_says_so() -> None:
    log = BuildLog()
    line = "x" * 1_000_000
    events = (StepEvent("log", "1", "noise", 0.0, f"{line}{number}") for number in range(20))
    passed = list(log.note(events))
    assert [event.line for event in passed[-1:]] == [CUT]
    assert sum(len(event.line) for event in passed) <= LOG_LIMIT
    assert log.lines()[-1].endswith("x19")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("10%\r50%\r100%\r\n", "100%"),
        ("\x1b]0;title\x07text", "text"),
        ("x" * 20000, "x" * 16384),
        ("  indented  ", "  indented"),
    ],
)
def test_a_line_is_read_as_a_terminal_would_leave_it(line: str, shown: str) -> None:
    assert readable(line) == shown


SOURCE = "send the source to the engine"


def test_a_large_context_is_told_while_it_is_sent() -> None:
    vertex = {"digest": "sha256:1", "name": "[internal] load build context", "started": "2026-01-01T00:00:00Z"}
    moved = {"id": "transferring context:", "vertex": "sha256:1", "name": "transferring"}
    statuses = (
        {"vertexes": [vertex], "statuses": [{**moved, "current": 900_000}]},
        {"statuses": [{**moved, "current": 5_000_000}]},
        {"statuses": [{**moved, "current": 9_000_000}]},
        {"vertexes": [{**vertex, "completed": "2026-01-01T00:00:02Z"}]},
    )
    reader = RawReader(NAMES)
    events = [event for status in statuses for event in reader.feed(json.dumps(status).encode() + b"\n")]
    assert events == [
        StepEvent("started", "sha256:1", SOURCE),
        StepEvent("progress", "sha256:1", SOURCE, bytes=5_000_000),
        StepEvent("progress", "sha256:1", SOURCE, bytes=9_000_000),
        StepEvent("done", "sha256:1", SOURCE, 2.0, bytes=9_000_000),
    ]
    assert reader.log.steps == [StepResult(SOURCE, False, 2.0, 9_000_000)]


def test_the_layers_of_a_base_are_added_up() -> None:
    vertex = {"digest": "sha256:1", "name": "pull me", "started": "2026-01-01T00:00:00Z"}
    parts = [
        {"id": "sha256:a", "vertex": "sha256:1", "name": "downloading", "current": 2_000_000, "total": 3_000_000},
        {"id": "sha256:b", "vertex": "sha256:1", "name": "downloading", "current": 1_000_000, "total": 9_000_000},
        {"id": "extracting sha256:b", "vertex": "sha256:1", "name": "extracting"},
    ]
    reader = RawReader(NAMES)
    events = list(reader.feed(json.dumps({"vertexes": [vertex], "statuses": parts}).encode() + b"\n"))
    assert events == [
        StepEvent("started", "sha256:1", "pull me"),
        StepEvent("progress", "sha256:1", "pull me", bytes=3_000_000, total=12_000_000),
    ]


def test_a_large_context_is_told_by_an_old_client_too() -> None:
    lines = (
        "#6 [internal] load build context",
        "#6 transferring context: 2B done",
        "#6 transferring context: 150.04MB 1.7s done",
        "#6 DONE 1.8s",
    )
    reader = PlainReader(NAMES)
    assert [event for line in lines for event in reader.feed(line.encode() + b"\n")] == [
        StepEvent("started", "6", SOURCE),
        StepEvent("progress", "6", SOURCE, bytes=150_040_000),
        StepEvent("done", "6", SOURCE, 1.8, bytes=150_040_000),
    ]


def test_a_step_that_is_told_to_be_cached_after_its_end_has_ended_once() -> None:
    lines = ("#5 [1/5] FROM s2i.local/python:3.13", "#5 DONE 0.0s", "#5 CACHED")
    reader = PlainReader(StepNames("FROM s2i.local/python:3.13\n"))
    events = [event for line in lines for event in reader.feed(line.encode() + b"\n")]
    assert [event.status for event in events] == ["started", "done"]
