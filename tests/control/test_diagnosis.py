"""The reason that a person reads when a revision did not come up, word for word."""

from __future__ import annotations

import pytest

from s2i.control.actions import Exited, NeverReady, NotStarted
from s2i.control.diagnosis import explain

CASES = [
    (Exited(3, False), (), "it exited with code 3 before it answered"),
    (Exited(137, False), (), "it exited with code 137 (SIGKILL) before it answered"),
    (Exited(137, True), (), "it needed more memory than it may have (give it more with --memory)"),
    (
        Exited(0, False),
        (),
        "it ended with exit code 0 before it answered: an app must go on listening (or is it a job?)",
    ),
    (
        NeverReady(60.0),
        (("0.0.0.0", 5000),),
        "no HTTP answer on port 8080 within 60 s: it listens on port 5000, expected 0.0.0.0:$PORT (PORT=8080)",
    ),
    (
        NeverReady(60.0),
        (),
        "no HTTP answer on port 8080 within 60 s: it listens nowhere, expected 0.0.0.0:$PORT (PORT=8080)",
    ),
    (
        NeverReady(60.0),
        (("0.0.0.0", 8080),),
        "no HTTP answer on port 8080 within 60 s: it listens on port 8080, but does not answer: does it hang?",
    ),
    (
        NeverReady(60.0),
        (("127.0.0.1", 8080), ("::1", 8080)),
        "no HTTP answer on port 8080 within 60 s: it listens on 127.0.0.1:8080 and [::1]:8080 only; "
        "it must listen on 0.0.0.0",
    ),
    (NotStarted("the image x is gone"), (), "the image x is gone"),
]


@pytest.mark.parametrize(("cause", "ports", "expected"), CASES)
def test_the_reason_says_what_was_seen(
    cause: Exited | NeverReady | NotStarted, ports: tuple[tuple[str, int], ...], expected: str
) -> None:
    assert explain(cause, 8080, ports, []) == expected


def test_the_end_of_the_log_follows_line_by_line() -> None:
    assert explain(Exited(1, False), 8080, (), [b"one\n", b"tw\xffo\r\n"]).split("\n")[1:] == ["one", "tw\ufffdo"]
