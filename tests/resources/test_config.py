from __future__ import annotations

import pytest

from s2i.errors import S2IError
from s2i.resources import config
from s2i.resources.app import Config, Routing

GIB = 1 << 30


def test_environment_words_become_pairs() -> None:
    words = ["A=1", "B=x=y", "C=", "A=2", "D=a\nb 'c' é"]
    assert config.parse_env(words) == (("A", "2"), ("B", "x=y"), ("C", ""), ("D", "a\nb 'c' é"))


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("FOO", "it has no ="),
        ("=x", "letters, digits"),
        ("1A=x", "letters, digits"),
        ("A B=x", "letters, digits"),
        ("A\n=x", "letters, digits"),
        ("É=x", "letters, digits"),
        ("LD_PRELOAD=/x.so", "it is reserved"),
        ("PORT=1", "it is reserved"),
        ("PATH=/x", "it is reserved"),
        ("S2I_X=1", "it is reserved"),
        ("A=x\0y", "NUL"),
        ("A=" + "x" * 200_000, "195 KiB"),
    ],
)
def test_a_bad_environment_word_is_refused(word: str, why: str) -> None:
    with pytest.raises(S2IError, match=why) as caught:
        config.parse_env([word])
    assert (caught.value.code, caught.value.exit) == ("E_ENV", 2)


def test_a_refusal_never_shows_a_value() -> None:
    with pytest.raises(S2IError) as caught:
        config.parse_env(["LD_AUDIT=hunter2"])
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("512M", 512 << 20), ("512m", 512 << 20), ("1G", GIB), ("65536K", 64 << 20), ("67108864", 64 << 20)],
)
def test_memory_is_read(text: str, size: int) -> None:
    assert config.parse_memory(text, most=GIB) == size


@pytest.mark.parametrize(
    "text", ["1k", "999999g", "-1", "64mb", "1e9", "", "0", "31M", "2G", "\u0665\u0661\u0662M", " 64M", "64M\n"]
)
def test_bad_memory_is_refused_with_the_limits(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        config.parse_memory(text, most=GIB)
    assert (caught.value.code, caught.value.exit) == ("E_LIMIT", 2)
    assert caught.value.advice == "the least is 32M, the most that this machine has is 1024M"


@pytest.mark.parametrize("text", ["1M", "2G", "much"])
def test_memory_that_cannot_be_is_told_as_it_was_typed(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        config.parse_memory(text, most=GIB)
    assert caught.value.message.startswith(f'--memory cannot be "{text}": it is ')
    with pytest.raises(S2IError) as caught:
        config.parse_memory(text, most=GIB, what="S2I_BUILD_MEMORY")
    assert caught.value.message.startswith(f'S2I_BUILD_MEMORY cannot be "{text}": it is ')


def test_cpu_is_read() -> None:
    assert [config.parse_cpu(text, most=2) for text in ("0.5", "2", "0.125")] == [0.5, 2.0, 0.125]


@pytest.mark.parametrize("text", ["0", "-1", "3", "nan", "inf", "1e1", "0.01", "half", "", "1.", "2.0001"])
def test_bad_cpu_is_refused(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        config.parse_cpu(text, most=2)
    assert (caught.value.code, caught.value.exit) == ("E_LIMIT", 2)


def test_a_port_is_read() -> None:
    assert [config.parse_port(text) for text in ("1", "8080", "65535")] == [1, 8080, 65535]


@pytest.mark.parametrize("text", ["0", "65536", "-1", "080", "http", "", "8080\n", "\u0668\u0660", "1e3"])
def test_a_bad_port_is_refused(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        config.parse_port(text)
    assert (caught.value.code, caught.value.exit) == ("E_PORT", 2)


@pytest.mark.parametrize(
    "bad",
    [
        Config(env=(("LD_PRELOAD", "x"),)),
        Config(memory=1),
        Config(memory=1 << 60),
        Config(cpu=0),
        Config(cpu=float("nan")),
        Config(cpu=1e9),
        Config(port=0),
    ],
)
def test_what_came_over_the_wire_is_checked_like_what_was_typed(bad: Config) -> None:
    with pytest.raises(S2IError):
        config.checked_config(bad)


def test_a_good_config_is_returned() -> None:
    assert config.checked_config(Config(memory=64 << 20, cpu=0.5)) == Config(memory=64 << 20, cpu=0.5)


@pytest.mark.parametrize("given", ["abc", "0", "65536", "-1"])
def test_a_bad_port_of_the_router_names_its_variable(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_HTTP_PORT", given)
    with pytest.raises(S2IError) as caught:
        config.http_port()
    assert (caught.value.code, caught.value.where) == ("E_PORT", "S2I_HTTP_PORT")
    assert "set S2I_HTTP_PORT" in caught.value.advice


@pytest.mark.parametrize(
    ("text", "found"),
    [("8080", ("8080", None)), ("h2c:8080", ("8080", True)), ("http1:80", ("80", False)), ("h2:1", ("h2:1", None))],
)
def test_a_port_may_say_what_is_spoken_there(text: str, found: tuple[str, bool | None]) -> None:
    assert config.split_protocol(text) == found


@pytest.mark.parametrize(
    "bad",
    [
        Routing(request_timeout=0.5),
        Routing(request_timeout=float("nan")),
        Routing(request_timeout=3601),
        Routing(body_limit=-1),
    ],
)
def test_routing_has_bounds(bad: Routing) -> None:
    with pytest.raises(S2IError, match="out of range"):
        config.checked_routing(bad)
