"""The reason that a person reads when a revision did not come up, word for word."""

from __future__ import annotations

import pytest

from s2i.control.actions import Exited, NeverReady, NotStarted
from s2i.control.diagnosis import explain, parted

TRACEBACK = [
    b'  File "/app/web/app.py", line 2, in <module>\n',
    b"    import yaml\n",
    b"ModuleNotFoundError: No module named 'yaml'\r\n",
    b"[7] [ERROR] Reason: Worker failed to boot.\n",
]


def test_the_reason_is_the_cause_with_its_place_the_line_that_proves_it_and_the_fix() -> None:
    assert explain(Exited(3, False), 8080, (), TRACEBACK) == (
        "the code imports yaml, and no requirement brings it (web/app.py:2)\n"
        "ModuleNotFoundError: No module named 'yaml'\n"
        "fix: add PyYAML to the requirements"
    )


@pytest.mark.parametrize(
    ("cause", "ports", "why"),
    [
        (Exited(3, False), (), "it exited with code 3 before it answered"),
        (Exited(137, True), (), "it needed more memory than it may have, and was killed"),
        (NeverReady(60.0), (("0.0.0.0", 5000),), "it listens on port 5000, and requests come to port 8080"),
        (
            NeverReady(60.0),
            (("127.0.0.1", 8080),),
            "it listens on 127.0.0.1:8080 only, which nobody outside of its container reaches",
        ),
        (NotStarted('exec: "uwsgi": executable file not found in $PATH'), (), "the start command runs uwsgi, which is not in the image"),
    ],
)  # fmt: skip
def test_what_was_seen_is_said_without_a_log(
    cause: Exited | NeverReady | NotStarted, ports: tuple[tuple[str, int], ...], why: str
) -> None:
    assert parted(explain(cause, 8080, ports, []))[0] == why


def test_what_s2i_says_itself_is_reason_enough() -> None:
    assert explain(NotStarted("the image x is no longer on this machine"), 8080, (), []) == (
        "the image x is no longer on this machine"
    )


def test_a_reason_comes_apart_as_it_was_put_together() -> None:
    assert parted("it failed\none\ntwo\nfix: mend it") == ("it failed", ("one", "two"), "mend it")
    assert parted("it failed\nfix: no, a line of a log\none") == ("it failed", ("fix: no, a line of a log", "one"), "")
    assert parted("") == ("", (), "")


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert parted(explain(Exited(1, False), 8080, (), [b"tw\xffo\r\n"]))[1] == ("tw\ufffdo",)
