"""How many instances: Knative's algorithm, held against its own words."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2i.control.autoscale import FINE_SECONDS, PANIC_SECONDS, Decision, Scaler, capacity, decide, read, slept
from s2i.resources.app import Scale

TICK, IDLE = FINE_SECONDS, 0.5
TEN = Scale(target=10)  # an instance is meant to have 7 requests


class Run:
    """One revision over time: readings as a test says, instances that come as they are wanted."""

    def __init__(self, scale: Scale = TEN, ready: int = 1) -> None:
        self.scale, self.ready, self.now = scale, ready, 1000.0
        self.scaler = Scaler(self.now)
        self.decisions: list[Decision] = []

    def go(self, seconds: float, load: float | Callable[[float], float], *, follow: bool = True) -> Decision:
        until = self.now + seconds
        while self.now < until:
            under_way = load(self.now) if callable(load) else load
            self.scaler = read(self.scaler, self.scale, under_way, self.now)
            self.scaler, decision = decide(self.scaler, self.scale, self.ready, self.now)
            self.decisions.append(decision)
            if follow:
                self.ready = decision.wanted
            self.now += TICK
        return self.decisions[-1]


def test_the_target_is_used_to_seven_tenths() -> None:
    assert capacity(Scale()) == pytest.approx(70)
    assert capacity(Scale(target=10)) == pytest.approx(7)
    assert capacity(Scale(concurrency=4)) == pytest.approx(2.8)
    assert capacity(Scale(concurrency=20, target=10)) == pytest.approx(7)


@pytest.mark.parametrize(("load", "wanted"), [(0.5, 1), (7, 1), (7.5, 2), (35, 5), (66, 10)])
def test_a_steady_load_gets_the_instances_that_it_needs(load: float, wanted: int) -> None:
    assert Run().go(130, load).wanted == wanted


def test_a_step_of_load_is_a_panic_and_has_its_instances_within_two_seconds() -> None:
    run = Run()
    run.go(30, 3)
    first = next(one for one in _after(run, 56) if one.wanted == 8)
    assert first.at - run.decisions[0].at - 30 <= PANIC_SECONDS
    assert run.decisions[-1].mode == "panic"


def _after(run: Run, load: float) -> list[Decision]:
    seen = len(run.decisions)
    run.go(5, load)
    return run.decisions[seen:]


def test_in_a_panic_nothing_is_taken_away_and_after_it_all_that_is_not_needed() -> None:
    run = Run()
    run.go(30, 3)
    run.go(5, 56)
    most = run.ready
    run.go(50, 1)
    assert run.ready == most
    assert run.go(40, 1).mode == "stable"
    assert run.go(70, 1).wanted == 1


def test_at_most_half_goes_at_once() -> None:
    run = Run(ready=10)
    run.go(1, 0.1, follow=False)
    assert (run.decisions[-1].wanted, run.decisions[-1].limit) == (5, "rate")


def test_an_app_without_requests_sleeps_after_a_window_and_no_sooner() -> None:
    run = Run()
    run.go(59, 0)
    assert {one.wanted for one in run.decisions} == {1}
    assert run.decisions[-1].limit == "too-early"
    assert run.go(3, 0).wanted == 0


def test_one_request_in_a_window_keeps_it_awake_a_window_longer() -> None:
    run = Run()
    run.go(59, 0)
    run.go(TICK, 1)
    assert run.go(58, 0).wanted == 1
    assert run.go(4, 0).wanted == 0


def test_what_sleeps_when_the_server_starts_is_not_woken_by_that() -> None:
    assert Run(ready=0).go(5, 0).wanted == 0


def test_a_request_that_waits_wakes_it() -> None:
    run = Run(ready=0)
    run.go(5, 0)
    assert run.go(TICK, 1).wanted == 1


@pytest.mark.parametrize("asleep", [1, 5, 30, 300])
@pytest.mark.parametrize("load", [1, 100, 1000])
def test_what_was_not_read_while_it_slept_is_scaled_as_if_it_had_been(asleep: int, load: float) -> None:
    assert _woken(asleep, load, reads=False) == _woken(asleep, load, reads=True)


def _woken(asleep: int, load: float, *, reads: bool) -> list[tuple[int, str]]:
    """Return what is wanted from ten to a time ``asleep`` on, when requests come: as often read as the autoscaler does."""
    begun = 1000.03  # no reading at the edge of a bucket
    scale, scaler, ready, found = Scale(), Scaler(begun), 0, []
    for half in range((10 + asleep) * 2):
        if reads or half < 20:
            scaler = read(scaler, scale, 0, begun + half * IDLE)
    woken = begun + 10 + asleep
    if not reads:
        scaler = slept(scaler, scale, IDLE, woken)
    for tick in range(40):
        scaler = read(scaler, scale, load, woken + tick * TICK)
        scaler, decision = decide(scaler, scale, ready, woken + tick * TICK)
        ready = decision.wanted
        found.append((decision.wanted, decision.mode))
    return found


def test_the_bounds_hold_and_are_named() -> None:
    bounds = Scale(min=2, max=3, target=10)
    assert (Run(bounds).go(120, 0).wanted, Run(bounds).go(1, 0).limit) == (2, "min-scale")
    high = Run(bounds).go(5, 500)
    assert (high.wanted, high.limit) == (3, "max-scale")


def test_an_instance_is_kept_for_the_scale_down_delay() -> None:
    run = Run(Scale(target=10, down_delay=100, window=6))
    run.go(20, 30)
    before = run.ready
    assert run.go(90, 1).wanted == before
    assert run.decisions[-1].limit == "scale-down-delay"
    assert run.go(30, 1).wanted < before


LOADS = st.lists(st.tuples(st.floats(0.1, 30), st.floats(0, 500)), min_size=1, max_size=12)
SCALES = st.builds(
    lambda least, more, target, delay, window: Scale(
        min=least, max=max(least, 1) + more, target=target, down_delay=delay, window=window
    ),
    st.integers(0, 5), st.integers(0, 15), st.integers(0, 200), st.sampled_from((0.0, 5.0, 60.0)),
    st.sampled_from((6.0, 60.0)),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(SCALES, LOADS)
def test_whatever_comes_it_stays_within_its_bounds_and_its_sums_add_up(
    scale: Scale, loads: list[tuple[float, float]]
) -> None:
    run = Run(scale)
    for seconds, load in loads:
        run.go(seconds, load)
    for before, one in zip([None, *run.decisions], run.decisions, strict=False):
        assert scale.min <= one.wanted <= scale.max
        assert one.raw == math.ceil((one.stable if one.mode == "stable" else one.panic) / one.capacity)
        if one.mode == "panic" and before and before.mode == "panic":
            assert one.wanted >= min(before.ready, scale.max) or one.limit == "max-scale"
        if not one.limit:
            assert one.wanted == one.raw
    assert len(run.scaler.coarse.buckets) <= scale.window + 1
    assert len(run.scaler.fine.buckets) <= PANIC_SECONDS / TICK + 1


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 300), SCALES)
def test_a_load_that_stays_is_served_with_what_it_needs_and_no_more(load: float, scale: Scale) -> None:
    run = Run(scale)
    run.go(scale.window * 2 + scale.down_delay + 70, load)
    needed = min(max(math.ceil(load / capacity(scale) - 1e-9), scale.min), scale.max)
    assert abs(run.decisions[-1].wanted - needed) <= (1 if load else 0)
