"""What a project comes to: sums without dust, apps at max-scale, limits that nothing passes and nothing locks in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.errors import S2IError
from s2i.resources.app import App, Config, Revision, Scale
from s2i.resources.config import parse_cpu, parse_memory
from s2i.resources.project import (
    BYTES_MOST,
    CPU_MOST,
    FIELDS,
    NOTHING,
    Amounts,
    checked_limits,
    containers,
    exceeded,
    of_app,
    shown,
    total,
    written,
)

MB = 1 << 20


def revision(number: int, cpu: float = 1.0, *, quiet: bool = False, tag: str = "") -> Revision:
    return Revision("a", "shop", number, "sha256:x", Config(cpu=cpu, memory=64 * MB), quiet=quiet, tag=tag)


def app(target: int, serving: int, most: int = 2, **more: object) -> App:
    return msgspec.structs.replace(App("a", "shop", target, serving, scale=Scale(max=most)), **more)


def cores(one: App, *revisions: Revision) -> float:
    return of_app(one, revisions).cpu


def test_an_app_counts_as_what_it_may_come_to() -> None:
    assert of_app(app(1, 1, 3), [revision(1, 0.5)]) == Amounts(1.5, 3 * 64 * MB, 3, apps=1)


def test_an_app_of_which_nothing_has_come_up_counts_as_what_is_to() -> None:
    assert cores(app(1, 0), revision(1)) == 2.0
    assert of_app(app(0, 0), [revision(1)]) == Amounts(apps=1)


@pytest.mark.parametrize(("old", "new", "expected"), [(1.0, 2.0, 4.0), (2.0, 1.0, 4.0)])
def test_of_a_revision_that_takes_over_and_the_one_before_it_the_larger_counts(
    old: float, new: float, expected: float
) -> None:
    assert cores(app(2, 1), revision(1, old), revision(2, new)) == expected


def test_parts_of_a_split_count_together_and_a_new_revision_beside_it_does_not() -> None:
    split = app(2, 2, traffic=((1, 50), (2, 50)))
    assert cores(split, revision(1), revision(2)) == 4.0
    assert cores(msgspec.structs.replace(split, target=3), revision(1), revision(2), revision(3, 8.0)) == 4.0


def test_a_tagged_revision_counts_beside_the_one_that_serves_and_once() -> None:
    assert cores(app(2, 2, tags=(("old", 1),)), revision(1), revision(2)) == 4.0
    assert cores(app(2, 2, tags=(("now", 2),)), revision(1), revision(2)) == 2.0
    assert cores(app(2, 1), revision(1), revision(2, quiet=True, tag="next")) == 4.0
    assert cores(app(2, 1), revision(1), revision(2, quiet=True)) == 2.0


def test_an_app_that_is_being_deleted_counts_no_more() -> None:
    assert of_app(app(1, 1, deleting=True), [revision(1)]) == NOTHING


def test_ten_tenths_are_one() -> None:
    assert total([containers(Config(cpu=0.1), 1)] * 10).cpu == 1.0
    assert exceeded(Amounts(cpu=1.0), total([containers(Config(cpu=0.1), 1)] * 10)) == ""


AMOUNTS = st.builds(
    Amounts,
    st.integers(0, 100).map(lambda one: one / 10),
    st.integers(0, 8 << 30),
    *(st.integers(0, 20) for _ in FIELDS[2:]),
)


@given(AMOUNTS, AMOUNTS)
def test_without_limits_nothing_is_too_much(wanted: Amounts, before: Amounts) -> None:
    assert exceeded(NOTHING, wanted, before) == ""


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_what_becomes_no_more_is_never_refused_and_what_becomes_more_never_passes_a_limit(
    limits: Amounts, wanted: Amounts, before: Amounts
) -> None:
    field = exceeded(limits, wanted, before)
    if field:
        assert getattr(wanted, field) > getattr(limits, field) > 0
        assert getattr(wanted, field) > getattr(before, field)
    else:
        for each in FIELDS:
            limit = getattr(limits, each)
            assert not limit or getattr(wanted, each) <= max(limit, getattr(before, each))


@given(st.lists(AMOUNTS, max_size=8))
def test_the_order_of_a_sum_does_not_matter(every: list[Amounts]) -> None:
    assert total(every) == total(reversed(every))


@given(st.integers(100, 9999_000).map(lambda one: one / 1000))
def test_cores_are_read_as_they_are_written(cpu: float) -> None:
    assert parse_cpu(written("cpu", round(cpu, 1)), CPU_MOST) == round(cpu, 1)


@given(st.integers(32, 1 << 29).map(lambda one: one * MB))
def test_memory_is_read_as_it_is_written(memory: int) -> None:
    assert parse_memory(written("memory", memory), BYTES_MOST) == memory


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("cpu", 1.0, "1 CPU"),
        ("cpu", 0.5, "0.5 CPUs"),
        ("memory", 8 << 30, "8G of memory"),
        ("memory", 1536 * MB, "1536M of memory"),
        ("instances", 1, "1 instance"),
        ("runs", 3, "3 open job runs"),
    ],
)
def test_an_amount_reads_as_a_person_says_it(field: str, value: float, expected: str) -> None:
    assert shown(field, value) == expected


@pytest.mark.parametrize(
    "fields", [{"cpu": -1}, {"cpu": 1e9}, {"memory": 1.5}, {"apps": "x"}, {"disk": 1}, {"runs": -1}]
)
def test_a_limit_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(S2IError) as caught:
        checked_limits(NOTHING, fields)
    assert caught.value.exit == 2


def test_a_limit_that_is_not_named_stays() -> None:
    assert checked_limits(Amounts(cpu=4.0, apps=3), {"cpu": 0}) == Amounts(apps=3)
