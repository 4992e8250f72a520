"""Builds at once: as many as a project may, the others in the order in which they came."""

from __future__ import annotations

from s2i.control.turns import Turns


def test_without_a_limit_nobody_waits() -> None:
    turns = Turns()
    assert all(turns.take("shop", f"{number}", 0) for number in range(50))
    assert (turns.under_way("shop"), turns.under_way("bank")) == (50, 0)


def test_who_came_first_is_first_and_another_project_does_not_wait() -> None:
    turns = Turns()
    assert [turns.take("shop", one, 2) for one in "abcd"] == [True, True, False, False]
    assert turns.take("bank", "x", 1)
    turns.leave("shop", "a")
    assert [turns.take("shop", one, 2) for one in "dc"] == [False, True]
    turns.leave("shop", "b")
    assert turns.take("shop", "d", 2)
    assert turns.under_way("shop") == 2


def test_who_gives_up_holds_nobody_and_a_limit_that_is_lowered_ends_nothing() -> None:
    turns = Turns()
    assert [turns.take("shop", one, 2) for one in "abcd"] == [True, True, False, False]
    turns.leave("shop", "c")
    turns.leave("shop", "a")
    assert not turns.take("shop", "d", 1)
    assert turns.under_way("shop") == 1
    turns.leave("shop", "b")
    turns.leave("shop", "b")
    assert turns.take("shop", "d", 1)
