from __future__ import annotations

from pathlib import Path

from s2i.router import slots
from s2i.router.router import SLOTS

ONE, TWO, THREE = "10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"


def _files(root: Path) -> list[str]:
    return [(root / "p" / "a" / "cur" / str(slot)).read_text() for slot in range(SLOTS)]


def test_a_closed_app_has_slots_where_nobody_listens(tmp_path: Path) -> None:
    slots.write(tmp_path, "p", "a", {})
    assert _files(tmp_path) == ["127.0.0.1:1"] * SLOTS


def test_shares_are_spread_evenly(tmp_path: Path) -> None:
    slots.write(tmp_path, "p", "a", {ONE: 10, TWO: 10})
    assert _files(tmp_path) == [ONE, TWO] * 10


def test_three_that_share_get_what_they_were_given(tmp_path: Path) -> None:
    slots.write(tmp_path, "p", "a", {ONE: 7, TWO: 7, THREE: 6})
    assert slots.read(tmp_path, "p", "a") == {ONE: 7, TWO: 7, THREE: 6}


def test_the_generation_before_stays_for_requests_under_way(tmp_path: Path) -> None:
    for address in (ONE, TWO, THREE):
        slots.write(tmp_path, "p", "a", {address: SLOTS})
    assert sorted(path.name for path in (tmp_path / "p" / "a").iterdir()) == ["2", "3", "cur"]
    assert (tmp_path / "p" / "a" / "2" / "0").read_text() == TWO


def test_what_a_killed_writer_left_is_written_over(tmp_path: Path) -> None:
    slots.write(tmp_path, "p", "a", {ONE: SLOTS})
    half = tmp_path / "p" / "a" / "2"
    half.mkdir()
    (half / "0").write_text("10.0.")
    (tmp_path / "p" / "a" / "next").symlink_to("2")
    assert slots.read(tmp_path, "p", "a") == {ONE: SLOTS}
    slots.write(tmp_path, "p", "a", {TWO: SLOTS})
    assert slots.read(tmp_path, "p", "a") == {TWO: SLOTS}


def test_removing_leaves_no_folder(tmp_path: Path) -> None:
    slots.write(tmp_path, "p", "a", {ONE: SLOTS})
    slots.write(tmp_path, "p", "b", {ONE: SLOTS})
    slots.remove(tmp_path, "p", "a")
    assert not slots.generation(tmp_path, "p", "a")
    assert slots.generation(tmp_path, "p", "b")
    slots.remove(tmp_path, "p", "b")
    assert list(tmp_path.iterdir()) == []
