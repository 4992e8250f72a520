"""Hostile trees end in the error that fits, or in a plan; how long that takes is measured by `make bench-plan`."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.hostile import Hostile, trees
from s2i import sources
from s2i.errors import S2IError
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base
from s2i.sources.workspace import remove

OFFERED = (Base("3.12", "build:3.12", "run:3.12"),)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an empty folder. Removed here: pytest's own clean-up recurses."""
    folder = tmp_path / "source"
    folder.mkdir()
    yield folder
    remove(folder)


@pytest.mark.parametrize("tree", [t for t in trees() if not t.heavy], ids=lambda tree: tree.name)
def test_a_hostile_tree_ends_as_it_must(tree: Hostile, root: Path) -> None:
    tree.make(root)
    assert (tree.outcome or "app:app", tree.where) == _outcome(root, bool(tree.where))


def _outcome(root: Path, with_where: bool) -> tuple[str, str]:
    try:
        with sources.fetch(sources.parse(str(root)), policy=sources.Policy()) as listed:
            return compile_plan(listed, OFFERED).entry, ""
    except S2IError as error:
        return error.code, error.where if with_where else ""
