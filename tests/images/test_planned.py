"""Planning for a build: when a registry is asked, and what its answer changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i import sources
from s2i.errors import S2IError
from s2i.images import bases, planned
from s2i.images.bases import obtain, offer, table
from s2i.planning.plan import Base

PULLED = Base("3.12", "python:3.12-slim", "python:3.12-slim", obtain="pull")
LOCAL = table.local("3.12", "/usr/local/bin/python3", "make")
HERE = table.local("3.11")


class World:
    """A machine on which a registry answers or not, with what it then offers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tried: bool | None, answers: bool, **offers: tuple[Base, ...]):
        self.asked = 0
        self.answers = answers
        offered = {None: offers["before"], answers: offers.get("after", ())}
        monkeypatch.setattr(bases, "refresh", lambda registry=None: offered[registry])
        monkeypatch.setattr(offer, "recall", lambda: offer.Known((), tried))
        monkeypatch.setattr(obtain, "registry_answers", self._ask)

    def _ask(self) -> bool:
        self.asked += 1
        return self.answers


def base_of(tmp_path: Path, bound: str = "") -> Base | None:
    """Return the base of the plan of a job whose developer has 3.12; ``bound`` is what its project asks for."""
    (tmp_path / "job").mkdir()
    (tmp_path / "job/main.py").write_text("print(1)\n")
    (tmp_path / "job/.python-version").write_text("3.12\n")
    if bound:
        (tmp_path / "job/pyproject.toml").write_text(f'[project]\nname = "x"\nrequires-python = "{bound}"\n')
    with sources.fetch(sources.parse(str(tmp_path / "job")), policy=sources.Policy()) as tree:
        return planned.plan(tree).base


@pytest.mark.parametrize("base", [table.local("3.12"), LOCAL])
def test_a_base_that_is_here_or_is_made_here_needs_no_registry(
    base: Base, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, None, answers=True, before=(HERE, base))
    assert (base_of(tmp_path), world.asked) == (base, 0)


def test_a_base_that_would_be_pulled_is_kept_when_the_registry_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, None, answers=True, before=(PULLED,), after=(PULLED,))
    assert (base_of(tmp_path), world.asked) == (PULLED, 1)


def test_a_base_that_cannot_be_pulled_after_all_is_planned_again_with_what_can_be_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, True, answers=False, before=(PULLED,), after=(HERE, LOCAL))
    assert (base_of(tmp_path), world.asked) == (LOCAL, 1)


def test_a_registry_that_was_away_is_tried_again_before_another_python_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, False, answers=True, before=(HERE,), after=(HERE, PULLED))
    assert (base_of(tmp_path), world.asked) == (PULLED, 1)


def test_a_python_that_nobody_has_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    World(monkeypatch, False, answers=False, before=(HERE,))
    with pytest.raises(S2IError) as caught:
        base_of(tmp_path, ">=3.12")
    assert caught.value.code == "E_PYTHON_VERSION"


def test_a_registry_is_tried_again_before_a_bound_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world = World(monkeypatch, False, answers=True, before=(HERE,), after=(HERE, PULLED))
    assert (base_of(tmp_path, ">=3.12"), world.asked) == (PULLED, 1)


@pytest.mark.parametrize(("before", "asked"), [((PULLED,), 1), ((), 1)])
def test_a_machine_that_can_have_no_base_at_all_is_told_how_to_bring_one(
    before: tuple[Base, ...], asked: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = World(monkeypatch, None, answers=False, before=before, after=())
    with pytest.raises(S2IError) as caught:
        base_of(tmp_path)
    assert (caught.value.code, caught.value.exit, world.asked) == ("E_BASE", 6, asked)
    assert "load the images of another machine with `docker load`" in caught.value.advice


def test_an_engine_that_has_nothing_gets_what_a_registry_has(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    World(monkeypatch, False, answers=True, before=(), after=(PULLED,))
    assert base_of(tmp_path) == PULLED
