"""Each fixture is a test: its plan and its Dockerfile are golden files. Update them with `pytest --update-golden`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import msgspec
import pytest

from s2i import sources
from s2i.errors import S2IError
from s2i.images.dockerfile import render
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base

FIXTURES = Path(__file__).parents[1] / "fixtures"
NAMES = sorted(path.parent.name for path in FIXTURES.glob("*/expect.toml"))
OFFERED = (
    Base("3.11", "python:3.11-slim", "python:3.11-slim"),
    Base("3.13", "s2i.local/python-build:3.13", "s2i.local/python:3.13", "/usr/bin/python3", uv=True),
)


def golden_of(folder: Path) -> dict[str, str]:
    """Return the golden files of a fixture: its plan or refusal, and its Dockerfile when one is rendered."""
    source = sources.parse(str(folder / "app"))
    with sources.fetch(source, policy=sources.Policy()) as tree:
        try:
            plan = compile_plan(tree, OFFERED)
        except S2IError as refusal:
            return {"plan.json": json.dumps({"error": refusal.as_dict()}, indent=2, ensure_ascii=False) + "\n"}
    text = msgspec.json.format(msgspec.json.encode(plan), indent=2).decode() + "\n"
    return {"plan.json": text} if plan.dockerfile else {"plan.json": text, "Dockerfile": render(plan)}


@pytest.mark.parametrize("name", NAMES)
def test_a_fixture_gives_its_golden_plan_and_dockerfile(name: str, request: pytest.FixtureRequest) -> None:
    folder = FIXTURES / name
    made = golden_of(folder)
    if request.config.getoption("--update-golden"):
        for file, text in made.items():
            (folder / file).write_text(text)
    there = {file for file in ("plan.json", "Dockerfile") if (folder / file).exists()}
    assert {file: (folder / file).read_text() for file in there} == made


@pytest.mark.parametrize("name", NAMES)
def test_a_fixture_is_planned_as_its_expect_file_says(name: str) -> None:
    expected = tomllib.loads((FIXTURES / name / "expect.toml").read_text())
    plan = json.loads((FIXTURES / name / "plan.json").read_text())
    if "error" in expected:
        assert expected["error"] == plan["error"]["code"]
    else:
        assert (expected["kind"], expected["entry"]) == (plan["kind"], plan["entry"])
