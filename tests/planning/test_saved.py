"""A plan as a file: what is read back, and what is refused with the place where it is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from s2i.errors import S2IError
from s2i.images.dockerfile import render, wrong
from s2i.planning import saved
from s2i.planning.plan import Base

ROOT = Path(__file__).parents[2]
PLANS = sorted(p for p in (ROOT / "fixtures").glob("*/plan.json") if "error" not in json.loads(p.read_text()))


def plain() -> dict[str, Any]:
    return json.loads((ROOT / "fixtures" / "flask-hello" / "plan.json").read_text())


def refusal(data: object) -> str:
    """Return what is said of a plan: when it is read, or of a word in it."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    with pytest.raises(S2IError) as refused:
        _read(text)
    assert ("E_PLAN", 3, "p.json") == (refused.value.code, refused.value.exit, refused.value.where)
    return refused.value.message.removeprefix("cannot use this plan: ")


def _read(text: bytes) -> None:
    if found := wrong(saved.decode(text, "p.json")):
        raise saved.refused_word(*found, where="p.json")


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.parent.name)
def test_a_golden_plan_is_read_back_as_it_was_written(path: Path) -> None:
    plan = saved.decode(path.read_bytes(), "p.json")
    assert path.read_bytes() == saved.encode(plan)
    assert wrong(plan) is None


CHANGES: list[tuple[str, Any, str]] = [
    ("version", 2, "$.version: it is 2, and this s2i reads version 1"),
    ("version", "1", "$.version: expected `int`, got `str`"),
    ("colour", "red", "$: object contains unknown field `colour`"),
    ("kind", "web", "$.kind: invalid enum value 'web'"),
    ("port", 0, "$.port: expected `int` >= 1"),
    ("port", 65536, "$.port: expected `int` <= 65535"),
    ("port", "80", "$.port: expected `int | null`, got `str`"),
    ("base", None, "$.base: there is none"),
    ("start", [], "$.start: there is none"),
    ("steps", [], "$.steps: there is none"),
    ("env", [], "$.env: there is none"),
    ("start", ["a\\b"], '$.start[0]: "a\\b" cannot stand in a Dockerfile'),
    ("start", ["cat", "<<END"], '$.start[1]: "<<END" cannot stand in a Dockerfile'),
    ("env", [["A", "x\nRUN y"]], '$.env[0][1]: "x\\nRUN y" cannot stand in a Dockerfile'),
    ("env", [["a b", "x"]], '$.env[0][0]: "a b" cannot stand in a Dockerfile'),
    ("dockerfile", "../Dockerfile", "$.dockerfile: only Dockerfile, at the root, is built"),
]


@pytest.mark.parametrize(("key", "value", "message"), CHANGES)
def test_a_wrong_value_is_named_by_its_json_path(key: str, value: object, message: str) -> None:
    assert message == refusal({**plain(), key: value})


STEPS: list[tuple[int, str, Any, str]] = [
    (1, "argv", "uv venv", "$.steps[1].argv: expected `array`, got `str`"),
    (1, "argv", ["uv", 1], "$.steps[1].argv[1]: expected `str`, got `int`"),
    (1, "argv", [], "$.steps[1].argv: expected `array` of length >= 1"),
    (1, "argv", ["uv", "a\nb"], '$.steps[1].argv[1]: "a\\nb" cannot stand in a Dockerfile'),
    (1, "then", [["touch", "a\\b"]], '$.steps[1].then[0][1]: "a\\b" cannot stand in a Dockerfile'),
    (1, "why", "x\nRUN y", '$.steps[1].why: "x\\nRUN y" cannot stand in a Dockerfile'),
    (1, "type", "exec", "$.steps[1].type: invalid value 'exec'"),
    (1, "stage", "test", "$.steps[1].stage: invalid enum value 'test'"),
    (1, "shell", True, "$.steps[1]: object contains unknown field `shell`"),
    (0, "sources", ["a b"], '$.steps[0].sources[0]: "a b" cannot stand in a Dockerfile'),
    (0, "from_stage", "build", "$.steps[0].from_stage: there is no stage build before it"),
    (0, "from_stage", "heavy", "$.steps[0].from_stage: there is no stage heavy before it"),
    (2, "from_stage", "base", "$.steps[2].from_stage: invalid enum value 'base'"),
    (1, "mounts", [{"type": "cache", "target": "/x,source=/"}], '$.steps[1].mounts[0].target: "/x,source=/" cannot stand in a Dockerfile'),
    (1, "mounts", [{"type": "ssh", "target": "/x"}], "$.steps[1].mounts[0].type: invalid enum value 'ssh'"),
]  # fmt: skip


@pytest.mark.parametrize(("index", "key", "value", "message"), STEPS)
def test_a_wrong_part_of_a_step_is_named_by_its_json_path(index: int, key: str, value: object, message: str) -> None:
    plan = plain()
    plan["steps"][index][key] = value
    assert message == refusal(plan)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "input data was truncated"),
        (b"{", "input data was truncated"),
        (b"[]", "$: expected `object`, got `array`"),
        (b"{}", "$: object missing required field `version`"),
        (b'{"version": 1, "buildpack": "\xff"}', "it is not UTF-8"),
        (b'{"version": ' + b"9" * 400 + b', "buildpack": "x"}', "$.version"),
        (b'{"version": 1, "buildpack": "x", "kind": ' + b"[" * 200_000, ""),
        (b" " * ((1 << 20) + 1), "it has more than 1,048,576 bytes"),
    ],
    ids=["empty", "cut", "array", "nothing", "bytes", "huge-number", "deep", "big"],
)
def test_what_is_no_plan_is_refused(data: bytes, message: str) -> None:
    assert message.lower() in refusal(data).lower()


def test_a_plan_for_another_source_is_refused(tree_of) -> None:
    plan = saved.decode(json.dumps(plain()).encode(), "p.json")
    with pytest.raises(S2IError) as refused:
        saved.check(plan, tree_of({"app.py": ""}), "p.json")
    expected = "p.json: cannot use this plan: $.steps[0].sources[0]: there is no requirements.txt in the source"
    assert expected == str(refused.value)


def test_a_dockerfile_is_looked_at_again_when_a_plan_names_it(tree_of, plan_of) -> None:
    plan = plan_of({"Dockerfile": "FROM scratch\n"})
    with pytest.raises(S2IError) as refused:
        saved.check(plan, tree_of({"Dockerfile": "# syntax=evil/frontend\nFROM scratch\n"}), "p.json")
    assert "E_DOCKERFILE_SYNTAX" == refused.value.code


def test_a_plan_that_lies_in_a_source_is_not_used_by_itself(plan_of, flask: str) -> None:
    files: dict[str, str | bytes] = {"app.py": flask, "requirements.txt": "flask\n"}
    files["s2i.plan.json"] = json.dumps({**plain(), "start": ["evil"]})
    assert "gunicorn" == plan_of(files).start[0]


def test_the_published_schema_is_current() -> None:
    assert json.loads(json.dumps(saved.schema())) == json.loads((ROOT / "docs" / "plan.schema.json").read_text())


def test_a_saved_plan_renders_to_the_same_dockerfile() -> None:
    for path in PLANS:
        plan = saved.decode(path.read_bytes(), "p.json")
        if not plan.dockerfile:
            assert (path.parent / "Dockerfile").read_text() == render(plan)


def test_what_a_plan_copies_from_a_base_or_builds_below_the_root_is_not_looked_for_at_the_root(plan_of, tree_of, flask):
    files = {"back/requirements.txt": "flask\npsycopg2\n", "back/app.py": flask, "front/index.js": ""}
    plan = plan_of(files)
    saved.check(saved.decode(saved.encode(plan), "p.json"), tree_of(files), "p.json")
    assert ("back", True) == (plan.subdir, any(getattr(step, "image", "") for step in plan.steps))


def test_a_plan_for_a_base_that_is_here_under_another_name_says_to_plan_again(plan_of, flask):
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n"})
    other = Base(plan.python, "mine:build", "mine:run")
    with pytest.raises(S2IError) as refused:
        saved.check_base(plan, (other,), "p.json")
    assert ("E_PLAN", "p.json") == (refused.value.code, refused.value.where)
    saved.check_base(plan, (plan.base,), "p.json")
