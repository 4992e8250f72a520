"""Sources for tests: files given as text, read through the real Tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from s2i import sources
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base, BuildPlan, Run
from s2i.sources import Tree

OFFERED = tuple(
    Base(python, f"build:{python}", f"run:{python}", uv=True) for python in ("3.10", "3.11", "3.12", "3.13")
)
VENV = "/opt/venv"
FLASK = "from flask import Flask\napp = Flask(__name__)\n"

MakeTree = Callable[[dict[str, str | bytes]], Tree]
MakePlan = Callable[[dict[str, str | bytes]], BuildPlan]


def commands(plan: BuildPlan, *stages: str) -> list[tuple[str, ...]]:
    """Return the commands of a plan's steps, in order; of ``stages`` when some are named."""
    runs = [step for step in plan.steps if isinstance(step, Run) and (not stages or step.stage in stages)]
    return [command for run in runs for command in run.commands]


def installing(plan: BuildPlan, *stages: str) -> list[tuple[str, ...]]:
    """Return the commands without those that make an environment and those that end a stage."""
    ends = ("mkdir", "find", f"{VENV}/bin/python")
    made = commands(plan, *(stages or ("build", "project")))
    return [c for c in made if c[:2] != ("uv", "venv") and (c[0] not in ends or "pathlib" in str(c))]


@pytest.fixture
def tree_of(tmp_path: Path) -> MakeTree:
    """Write files into a folder and return its Tree."""

    def make(files: dict[str, str | bytes]) -> Tree:
        root = tmp_path / "source"
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(text if isinstance(text, bytes) else text.encode())
        with sources.fetch(sources.parse(str(root)), policy=sources.Policy()) as tree:
            return tree

    return make


@pytest.fixture
def plan_of(tree_of: MakeTree) -> MakePlan:
    """Write files and return the plan of them, with Python 3.10 to 3.13 on offer."""
    return lambda files: compile_plan(tree_of(files), OFFERED)


@pytest.fixture
def flask() -> str:
    """Return a module that makes a Flask application ``app`` in its second line."""
    return FLASK
