"""A Dockerfile holds what the plan says, and nothing that a word of the plan could smuggle in."""

from __future__ import annotations

import json
import re
import shlex

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2i.errors import S2IError
from s2i.images.dockerfile import render
from s2i.planning.plan import Base, BuildPlan, Copy, Mount, Run

PLAN = BuildPlan(
    buildpack="python",
    kind="wsgi",
    framework="flask",
    manager="none",
    python="3.13",
    entry="app:app",
    start=("gunicorn", "app:app"),
    base=Base("3.13", "base:build", "base:run"),
    env=(("PATH", "/opt/venv/bin:/bin"), ("LANG", "C.UTF-8")),
    steps=(
        Run("build", "Install", ("uv", "pip", "install", "flask>=3"), (("A", "1"),), (Mount("cache", "/c", id="uv"),)),
        Copy("runtime", "The environment", ("/opt/venv",), "/opt/venv", from_stage="build"),
        Copy("runtime", "The source", (".",), "/app/"),
    ),
)
EXPECTED = [
    "FROM base:build AS build",
    "WORKDIR /app",
    "RUN --mount=type=cache,id=uv,target=/c A=1 uv pip install 'flask>=3'",
    "FROM base:run",
    "WORKDIR /app",
    "ENV PATH=/opt/venv/bin:/bin LANG=C.UTF-8",
    'COPY --from=build ["/opt/venv", "/opt/venv"]',
    'COPY [".", "/app/"]',
    "USER 1001:0",
    "EXPOSE 8080",
    'CMD ["gunicorn", "app:app"]',
]


def instructions(text: str) -> list[str]:
    """Return the instructions as Docker's parser sees them: comments left out, continued lines joined."""
    lines = [line for line in text.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    return re.sub(r" \\\n\s*", " ", "\n".join(lines)).split("\n")


def test_the_instructions_are_those_of_the_plan():
    assert instructions(render(PLAN)) == EXPECTED


def test_a_job_has_no_port():
    assert not any(line.startswith("EXPOSE") for line in instructions(render(msgspec.structs.replace(PLAN, port=None))))


def test_the_first_line_is_ours_and_no_parser_directive():
    first = render(PLAN).split("\n")[0]
    assert not re.fullmatch(r"#\s*\w+\s*=.*", first)
    assert first.startswith("# Made by s2i")


def test_what_docker_20_10_cannot_parse_is_not_used():
    assert not re.search(r"<<|--link|--network|syntax", render(PLAN))


@given(st.text(max_size=30))
def test_a_hostile_word_never_becomes_an_instruction(word):
    run = Run("build", word, ("tool", word), (("A", word),))
    for hostile in (
        msgspec.structs.replace(PLAN, start=("tool", word)),
        msgspec.structs.replace(PLAN, steps=(msgspec.structs.replace(run, why="x", env=()),)),
        msgspec.structs.replace(PLAN, steps=(msgspec.structs.replace(run, argv=("x",), env=()),)),
        msgspec.structs.replace(PLAN, steps=(msgspec.structs.replace(run, why="x", argv=("x",)),)),
        msgspec.structs.replace(PLAN, steps=(Copy("runtime", "x", (word,), "/app/"),)),
        msgspec.structs.replace(PLAN, env=(("A", word),)),
        msgspec.structs.replace(PLAN, base=Base("3", word or "x", "base:run")),
    ):
        try:
            text = render(hostile)
        except (ValueError, S2IError):
            continue
        names = [line.split(" ")[0] for line in instructions(text)]
        steps = ["RUN" if isinstance(s, Run) else "COPY" for s in hostile.steps]
        build = [n for n, s in zip(steps, hostile.steps, strict=True) if s.stage == "build"]
        runtime = [n for n, s in zip(steps, hostile.steps, strict=True) if s.stage == "runtime"]
        head = ["FROM", "WORKDIR", *build] if build else []
        assert [*head, "FROM", "WORKDIR", "ENV", *runtime, "USER", "EXPOSE", "CMD"] == names
        assert list(hostile.start) == json.loads(text.rstrip().split("CMD ")[-1])


@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=20), min_size=1
    )
)
def test_the_shell_gets_the_words_of_a_step_unchanged(words):
    if any("<<" in word for word in words):
        return
    plan = msgspec.structs.replace(PLAN, steps=(Run("build", "x", ("run", *words)),))
    line = next(line for line in instructions(render(plan)) if line.startswith("RUN "))
    assert ["run", *words] == shlex.split(line.removeprefix("RUN "))


@pytest.mark.parametrize("word", ["{{ 7 * 7 }}", "{% include '/etc/passwd' %}"])
def test_a_template_in_a_word_stays_text(word):
    assert json.dumps(word) in render(msgspec.structs.replace(PLAN, start=(word,)))
