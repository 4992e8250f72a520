"""What somebody asks to be otherwise: merged, refused, told as differences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.errors import S2IError
from s2i.resources.app import Config, Routing, Scale
from s2i.resources.change import (
    Change,
    Difference,
    config_after,
    differences,
    merged,
    routing_after,
    scale_after,
)

BEFORE = Config(env=(("A", "1"), ("TOKEN", "t1")), memory=64 << 20, port=9000)


def is_secret(name: str) -> bool:
    return name == "TOKEN"


def test_what_is_not_named_stays() -> None:
    change = Change(env=(("B", "2"),), env_rm=("A", "NEVER"), config={"cpu": 0.5})
    assert config_after(change, BEFORE) == Config(
        env=(("TOKEN", "t1"), ("B", "2")), cpu=0.5, memory=64 << 20, port=9000
    )
    assert scale_after(Change(scale={"max": 3}), Scale(min=1)) == Scale(min=1, max=3)
    assert routing_after(Change(routing={"h2c": True}), Routing(body_limit=5)) == Routing(h2c=True, body_limit=5)


def test_of_an_exact_change_what_is_not_named_has_its_default() -> None:
    change = Change(exact=True, env=(("B", "2"),), config={"cpu": 0.5}, scale={"max": 3})
    assert config_after(change, BEFORE) == Config(env=(("B", "2"),), cpu=0.5)
    assert scale_after(change, Scale(min=1)) == Scale(max=3)
    assert routing_after(change, Routing(body_limit=5)) == Routing()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (Change(config={"cup": 1}), "E_REQUEST"),
        (Change(config={"cpu": "1"}), "E_REQUEST"),
        (Change(config={"port": 0}), "E_PORT"),
        (Change(config={"memory": 1}), "E_LIMIT"),
        (Change(config={"release": ["a\0"]}), "E_VALUE"),
        (Change(env=(("PORT", "1"),)), "E_ENV"),
    ],
)
def test_what_cannot_be_is_refused(change: Change, code: str) -> None:
    with pytest.raises(S2IError) as caught:
        config_after(change, Config())
    assert (caught.value.code, caught.value.exit) == (code, 2)


def test_differences_name_the_option_and_hide_what_is_secret() -> None:
    after = Config(env=(("A", "2"), ("TOKEN", "t2")), memory=100 << 20, port=9000, command=("a b", "c"))
    assert differences(BEFORE, after, is_secret) == (
        Difference("env A", "1", "2"),
        Difference("env TOKEN", "***", "*** (another)"),
        Difference("memory", "64M", "100M"),
        Difference("command", "", "'a b' c"),
    )
    one, other = (Config(env=(("DB", f"db://u:{pw}@h"),), command=("x", "--token", pw)) for pw in ("p1", "p2"))
    assert differences(one, other, is_secret) == (
        Difference("env DB", "db://u:***@h", "db://u:***@h (another)"),
        Difference("command", "x --token p1", "x --token p2"),
    )
    assert differences(one, other, str.isalpha)[-1] == Difference(
        "command", "x --token '***'", "x --token '***' (another)"
    )
    assert differences(Scale(), Scale(min=1, down_delay=2.5), is_secret) == (
        Difference("min-scale", "0", "1"),
        Difference("scale-down-delay", "0", "2.5"),
    )
    assert differences(Routing(), Routing(h2c=True), is_secret) == (Difference("h2c", "no", "yes"),)


@given(st.dictionaries(st.sampled_from(["A", "B", "TOKEN"]), st.text(max_size=3)), st.integers(32 << 20, 64 << 20))
def test_no_difference_is_told_of_what_is_equal_and_one_of_what_is_not(env: dict[str, str], memory: int) -> None:
    one = Config(env=tuple(env.items()), memory=memory)
    assert differences(one, one, is_secret) == ()
    names = {each.what for each in differences(Config(), one, is_secret)}
    assert {name for name in names if name.startswith("env")} == {
        f"env {key}" for key, value in env.items() if value
    } | {f"env {key}" for key, value in env.items() if not value}
    assert all("t1" not in each.after for each in differences(BEFORE, one, is_secret))


def test_nothing_merged_is_the_same_object() -> None:
    assert merged(BEFORE, {}) is BEFORE
