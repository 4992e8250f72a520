"""Who may begin: as much as fits, fair between projects and runs, and nothing waits for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from s2i.control.room import CPU_FACTOR, MEMORY_SHARE, Claim, admitted
from s2i.engines.engine import Capacity

HAS = Capacity(2.0, 8 << 30)
GB = 1 << 30


def claims(project: str, run: str, number: int, *, cpu: float = 1.0, memory: int = GB, limit: int = 0) -> list[Claim]:
    return [Claim(project, run, index, cpu, memory, limit) for index in range(number)]


def test_as_many_begin_as_there_is_room_for() -> None:
    assert len(admitted(claims("a", "r", 100), [], HAS)) == 4
    assert len(admitted(claims("a", "r", 100), claims("b", "x", 3), HAS)) == 1
    assert len(admitted(claims("a", "r", 100, cpu=0.1, memory=2 * GB), [], HAS)) == 3


def test_a_run_has_no_more_at_once_than_it_asks_for() -> None:
    assert [one.index for one in admitted(claims("a", "r", 100, limit=2), [], HAS)] == [0, 1]
    assert admitted(claims("a", "r", 100, limit=2), claims("a", "r", 2), HAS) == ()


def test_projects_take_turns_and_so_do_runs_of_one() -> None:
    waiting = [*claims("a", "big", 1000), *claims("b", "small", 2), *claims("a", "later", 5)]
    assert [(one.project, one.run) for one in admitted(waiting, [], HAS)] == [
        ("a", "big"),
        ("b", "small"),
        ("a", "later"),
        ("b", "small"),
    ]


def test_what_is_larger_than_the_machine_runs_alone() -> None:
    huge = claims("a", "huge", 2, memory=100 * GB)
    assert [one.index for one in admitted(huge, [], HAS)] == [0]
    assert admitted(huge, claims("b", "x", 1), HAS) == ()


def test_something_small_keeps_nothing_large_waiting_for_ever() -> None:
    large, small = claims("a", "large", 1, cpu=4.0), claims("b", "small", 100)
    assert admitted([*large, *small], claims("b", "small", 1), HAS) == ()


SOME = st.builds(
    Claim,
    st.sampled_from("ab"),
    st.sampled_from("xyz"),
    st.integers(0, 9),
    st.sampled_from((0.5, 1.0, 3.0)),
    st.sampled_from((GB, 3 * GB)),
    st.integers(0, 2),
)


@given(st.lists(SOME, max_size=30), st.lists(SOME, max_size=4))
def test_it_never_promises_more_than_there_is(waiting: list[Claim], running: list[Claim]) -> None:
    begin = admitted(waiting, running, HAS)
    every = [*running, *begin]
    if begin and len(every) > 1:
        assert sum(one.cpu for one in every) <= HAS.cpus * CPU_FACTOR
        assert sum(one.memory for one in every) <= HAS.memory * MEMORY_SHARE
    assert begin or not waiting or running
