"""Who may begin: as much as fits, fair between projects and runs, and nothing waits for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from s2i.control.room import CPU_FACTOR, MEMORY_SHARE, Claim, admission
from s2i.engines.engine import Capacity
from s2i.resources.project import Amounts, Room

HAS = Capacity(2.0, 8 << 30)
GB = 1 << 30


def claims(project: str, run: str, number: int, *, cpu: float = 1.0, memory: int = GB, limit: int = 0) -> list[Claim]:
    return [Claim(project, run, index, cpu, memory, limit) for index in range(number)]


def admitted(waiting: list[Claim], running: list[Claim], has: Capacity) -> tuple[Claim, ...]:
    return admission(waiting, running, has).begin


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


def small(project: str, run: str, number: int) -> list[Claim]:
    return claims(project, run, number, cpu=0.5, memory=GB >> 4)


def test_the_tasks_of_a_project_wait_for_room_of_its_own_and_others_do_not() -> None:
    rooms = {"a": Room(Amounts(cpu=2.0))}
    found = admission([*small("a", "r", 5), *small("b", "x", 5)], small("a", "r", 3), HAS, rooms)
    assert [(one.project, one.index) for one in found.begin] == [("b", n) for n in range(3)] + [("a", 0), ("b", 3)]
    assert found.waits == {("a", "r"): "the project's 2 CPUs are taken", ("b", "x"): "the machine's 2 CPUs are taken"}


def test_what_the_apps_of_a_project_may_come_to_is_theirs() -> None:
    rooms = {"a": Room(Amounts(instances=3), Amounts(instances=2, apps=1))}
    found = admission(claims("a", "r", 2, cpu=0.1), [], HAS, rooms)
    assert len(found.begin) == 1
    assert found.waits == {("a", "r"): "the project's 3 instances are taken, 2 instances by its apps at max-scale"}


def test_nothing_small_of_a_project_goes_before_what_waits_for_its_room() -> None:
    rooms = {"a": Room(Amounts(memory=2 * GB))}
    waiting = [*claims("a", "large", 1, memory=2 * GB), *claims("a", "tiny", 3, cpu=0.1)]
    found = admission(waiting, claims("a", "old", 1, cpu=0.1), HAS, rooms)
    assert found.begin == ()
    assert set(found.waits.values()) == {"the project's 2G of memory is taken"}


def test_a_daemon_needs_room_of_its_project_alone() -> None:
    daemon = Claim("a", "d", 0, 3.0, GB, free=True)
    busy = claims("b", "x", 4)
    assert admission([daemon], busy, HAS).begin == (daemon,)
    assert admission([daemon], busy, HAS, {"a": Room(Amounts(cpu=2.0))}).begin == ()


def test_a_run_with_as_many_tasks_as_it_asks_for_waits_for_nothing() -> None:
    assert admission(claims("a", "r", 5, limit=1), claims("a", "r", 1), HAS).waits == {}


@given(st.lists(SOME, max_size=30), st.lists(SOME, max_size=4), st.sampled_from((0.5, 2.0, 3.0)))
def test_no_project_has_more_than_its_limit(waiting: list[Claim], running: list[Claim], cpu: float) -> None:
    found = admission(waiting, running, HAS, {"a": Room(Amounts(cpu=cpu))})
    if any(one.project == "a" for one in found.begin):
        assert sum(one.cpu for one in (*running, *found.begin) if one.project == "a") <= cpu
    without = [one for one in waiting if one.project == "b"]
    if not any(one.project == "a" for one in running):
        # What a project without room of its own waits for keeps nobody else waiting.
        full = admission(waiting, running, HAS, {"a": Room(Amounts(cpu=0.1))})
        assert full.begin == admission(without, running, HAS).begin
