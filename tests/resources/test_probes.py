"""Probes as a person writes them."""

from __future__ import annotations

import pytest

from s2i.errors import S2IError
from s2i.resources.app import Probe
from s2i.resources.probes import of, parse


def test_the_words_may_come_together_or_apart() -> None:
    expected = Probe(path="/up", interval=5, timeout=2, initial_delay=30, failure_threshold=4, port=9000)
    words = ["type=http path=/up", "interval=5,timeout=2", "initial-delay=30", "failure-threshold=4", "port=9000"]
    assert parse(words, "--probe-ready") == expected
    assert parse(["none"], "--probe-ready") is None
    assert of({"type": "tcp", "interval": 3}, "probe-live") == Probe(type="tcp", interval=3)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["http"], "'http' is not like path=/healthz"),
        (["typ=http"], "there is no 'typ', only type, path, port"),
        (["type=grpc"], "Invalid enum value 'grpc'"),
        (["interval=soon"], "interval is no number: 'soon'"),
        (["interval=0"], "interval is from 1 to 300, not 0"),
        (["timeout=61"], "timeout is from 1 to 60, not 61"),
        (["failure-threshold=11"], "failure-threshold is from 1 to 10, not 11"),
        (["port=70000"], "port is from 0 to 65535, not 70000"),
        (["path=up"], "a path begins with / and has no spaces: 'up'"),
        (["path=/\u00e9"], "a path begins with / and has no spaces"),
        (["type=tcp", "path=/up"], "type=tcp asks for no path"),
    ],
)
def test_what_cannot_be_is_told(words: list[str], why: str) -> None:
    with pytest.raises(S2IError) as caught:
        parse(words, "--probe-ready")
    assert (caught.value.code, caught.value.exit) == ("E_PROBE", 2)
    assert why in caught.value.message
