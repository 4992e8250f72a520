"""Schedules: each tick once, over any change of clocks, as an oracle says that has another way of knowing."""

from __future__ import annotations

import datetime
import itertools
from pathlib import Path

import msgspec
import pytest

from s2i.control import attempts
from s2i.control.schedule import AHEAD_MOST, Due, due, next_tick
from s2i.control.timer import Timer
from s2i.errors import E_SCHEDULE, S2IError
from s2i.resources import cron
from s2i.resources.app import Config
from s2i.resources.job import Execution, Job, JobRun, Schedule
from tests.control import cron_oracle
from tests.control.simulation import IMAGE, Simulation

# Two years in which each of these zones changed its clocks: by half an hour, at midnight, twice around Ramadan.
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Asia/Kathmandu",
)
BEGIN, END = (int(datetime.datetime(year, 1, 1, tzinfo=datetime.UTC).timestamp()) for year in (2017, 2019))
RARE = (
    "30 2 * * *",
    "0 0 * * *",
    "15,45 1-3 * * *",
    "0 3 * * 0",
    "59 23 31 * *",
    "0 12 13 * 5",
    "30 2 1-7 * 0",
    "5 4 29 2 *",
    "0 2 * * *",
)
OFTEN = ("*/30 * * * *", "0 */2 * * *", "*/20 1-3 * * *", "17 * * * *", "* 2 * * *", "*/7 * * * *")


@pytest.mark.parametrize("zone", ZONES)
def test_two_years_of_ticks_are_those_of_the_oracle(zone: str) -> None:
    wanted = cron_oracle.runs((*RARE, *OFTEN), zone, BEGIN, END)
    for line in RARE:
        assert list(driven(line, zone)) == wanted[line], line
    for line in OFTEN:
        named = itertools.takewhile(lambda at: at < END, cron.ticks(line, zone, BEGIN - 1))
        assert list(dict.fromkeys(named)) == wanted[line], line


@pytest.mark.parametrize("zone", ZONES)
def test_every_minute_is_every_minute_over_any_change_of_clocks(zone: str) -> None:
    changes = [at for at in range(BEGIN, END, 900) if offset(zone, at) != offset(zone, at - 900)]
    for change in changes:
        begin, end = change - 6 * 3600, change + 6 * 3600
        named = list(itertools.islice(cron.ticks("* * * * *", zone, begin - 1), 12 * 60))
        assert named == list(range(begin, end, 60))


def driven(line: str, zone: str) -> list[float]:
    """Return the ticks that get a run when somebody looks exactly when something is due."""
    schedule, ran = Schedule(line, zone, since=BEGIN - 1), []
    while (now := next_tick(schedule)) is not None and now < END:
        found = due(schedule, (), now)
        assert found.missed == 0
        assert found.run == now
        ran.append(now)
        schedule = msgspec.structs.replace(schedule, since=found.since)
    return ran


def offset(zone: str, at: float) -> datetime.timedelta | None:
    return datetime.datetime.fromtimestamp(at, cron.zone_of(zone)).utcoffset()


HOURLY = Schedule("0 * * * *", since=BEGIN)


def run(name: str = "report-1", *, cancelled: bool = False) -> JobRun:
    return JobRun("default", "report", name, IMAGE, Config(), scheduled=1.0, cancelled=cancelled)


def test_a_tick_slept_through_is_made_good_once_and_the_rest_are_missed() -> None:
    found = due(HOURLY, (), BEGIN + 3 * 3600 + 600)
    assert found == Due(BEGIN + 3 * 3600 + 600, BEGIN + 3 * 3600, (), 2, BEGIN + 3600, "the server did not run")


def test_after_days_it_is_never_stuck_and_makes_one_good() -> None:
    every_minute = Schedule("* * * * *", since=BEGIN)
    found = due(every_minute, (), BEGIN + 3 * 86400 + 30)
    assert (found.run, found.since) == (BEGIN + 3 * 86400, BEGIN + 3 * 86400 + 30)
    assert found.missed > 1000


def test_what_is_older_than_the_window_is_not_made_good() -> None:
    daily = Schedule("0 0 * * *", since=BEGIN, window=600)
    found = due(daily, (), BEGIN + 2 * 86400 + 700)
    assert (found.run, found.missed) == (None, 2)


@pytest.mark.parametrize(
    ("overlap", "open_runs", "expected"),
    [
        ("forbid", (run(),), (None, ())),
        ("allow", (run(),), (BEGIN + 3600, ())),
        ("replace", (run(),), (BEGIN + 3600, ("report-1",))),
        ("replace", (run(cancelled=True),), (BEGIN + 3600, ())),
        ("forbid", (), (BEGIN + 3600, ())),
    ],
)
def test_a_run_that_goes_on_at_the_next_tick(
    overlap: str, open_runs: tuple[JobRun, ...], expected: tuple[float | None, tuple[str, ...]]
) -> None:
    found = due(msgspec.structs.replace(HOURLY, overlap=overlap), open_runs, BEGIN + 3600)
    assert (found.run, found.cancel) == expected
    assert (found.missed, found.why) == ((1, "report-1 still runs") if expected[0] is None else (0, ""))


def test_a_clock_that_jumps_runs_nothing_twice_and_is_not_waited_for_for_ever() -> None:
    now = BEGIN + 3600
    since = due(HOURLY, (), now).since
    back = msgspec.structs.replace(HOURLY, since=since)
    assert due(back, (), now - 3600).run is None
    assert due(back, (), now).run is None
    assert due(back, (), now + 3600).run == now + 3600
    lost = msgspec.structs.replace(HOURLY, since=now + 10 * 365 * 86400)
    found = due(lost, (), now + AHEAD_MOST / 2)
    assert (found.run, found.since) == (None, now + AHEAD_MOST / 2)


def test_a_paused_schedule_makes_nothing_good() -> None:
    paused = msgspec.structs.replace(HOURLY, paused=True)
    assert due(paused, (), BEGIN + 7200) == Due(BEGIN + 7200)
    assert next_tick(paused) is None


@pytest.mark.parametrize(
    ("line", "zone", "why"),
    [
        ("* * * *", "UTC", "it has 4 fields, not five"),
        ("61 * * * *", "UTC", "bad minute"),
        ("@often", "UTC", "there is @yearly"),
        ("0 0 31 2 *", "UTC", "no such day ever comes"),
        ("0 0 * * *", "Europe/Nowhere", "there is no such time zone"),
        ("0 0 * * *", "../../etc/passwd", "there is no such time zone"),
        ("", "UTC", "it has 0 fields"),
        ("\u0663 * * * *", "UTC", "bad character"),
        ("0 " * 300, "UTC", "it has more than 200 characters"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(line: str, zone: str, why: str) -> None:
    with pytest.raises(S2IError) as caught:
        cron.checked(line, zone)
    assert caught.value.kind is E_SCHEDULE
    assert why in caught.value.message


def test_nicknames_are_what_they_stand_for() -> None:
    for name, line in cron.NICKNAMES.items():
        assert next(cron.ticks(name, "UTC", BEGIN)) == next(cron.ticks(line, "UTC", BEGIN))


# The timer ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    made = Simulation(tmp_path)
    made.now = float(BEGIN)
    return made


def scheduled(world: Simulation, name: str = "report", **fields: object) -> Job:
    world.store.accept_job(Job("default", name, IMAGE, Config(), execution=Execution()), "", world.now, None)
    wanted = Schedule("* * * * *", since=world.now, **fields)  # type: ignore[arg-type]
    return world.store.change_job("default", name, lambda job: msgspec.structs.replace(job, schedule=wanted))


def test_five_hundred_jobs_of_one_minute_all_get_their_run(world: Simulation) -> None:
    for number in range(500):
        scheduled(world, f"job-{number}", data=f"{number}")
    kicks: list[int] = []
    timer = Timer(world.world, lambda: kicks.append(1))
    assert 0 < timer.step() <= 20
    assert world.store.open_runs() == ()
    world.now += 60
    timer.step()
    found = world.store.open_runs()
    assert {(one.job, one.data, one.scheduled) for one in found} == {
        (f"job-{number}", f"{number}", BEGIN + 60.0) for number in range(500)
    }
    assert len(found) == 500
    assert kicks == [1]
    timer.step()
    assert len(world.store.open_runs()) == 500


def test_a_server_that_is_killed_at_a_tick_runs_it_once(world: Simulation) -> None:
    scheduled(world)
    world.now += 61
    Timer(world.world, lambda: None).step()
    Timer(world.world, lambda: None).step()  # the next server's
    assert len(world.store.open_runs()) == 1


def test_no_more_run_at_once_than_the_overlap_allows(world: Simulation) -> None:
    scheduled(world, overlap="replace")
    timer = Timer(world.world, lambda: None)
    for _ in range(5):
        world.now += 60
        timer.step()
        for _ in range(4):
            world.step()
        assert len([one for one in world.engine.observe() if one.state == "running"]) == 1
    runs = world.store.runs("default", "report")
    assert [one.status for one in runs] == ["running", "cancelled", "cancelled", "cancelled", "cancelled"]


def test_what_is_missed_is_told(world: Simulation) -> None:
    scheduled(world)
    world.now += 10 * 60
    Timer(world.world, lambda: None).step()
    (event,) = world.store.events("default", "report")
    assert event.what == "missed"
    assert event.text.startswith("9 ticks were missed, from ")
    assert event.text.endswith(": the server did not run")


def test_a_job_that_is_gone_or_changed_meanwhile_gets_no_run(world: Simulation) -> None:
    job = scheduled(world)
    other = msgspec.structs.replace(job, schedule=msgspec.structs.replace(job.schedule, cron="0 0 * * *"))
    assert world.store.accept_ticks([(other, world.now, run())]) == ()
    world.store.delete_job("default", "report")
    assert world.store.accept_ticks([(job, world.now, run())]) == ()
    with pytest.raises(S2IError):
        attempts.cancel(world.world, "default", "report-1")
