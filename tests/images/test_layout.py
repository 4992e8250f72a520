"""A command of a RUN is laid out for a reader, and stays the command that it was."""

from __future__ import annotations

import ast
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildpacks.python import debian, rewrite
from buildpacks.python.django import static
from s2i.errors import S2IError
from s2i.images import layout
from s2i.images.dockerfile import render
from s2i.planning import dockerfile
from s2i.planning.plan import Base, BuildPlan, Run


def seen_by_the_shell(text: str) -> str:
    """Return what the shell gets of a RUN, as a builder reads the Dockerfile."""
    (found,) = dockerfile.instructions(text)
    return found.rest


def plan(*argv: str, env: tuple[tuple[str, str], ...] = ()) -> BuildPlan:
    return BuildPlan(
        buildpack="python", kind="job", framework="script", manager="none", python="3.13", entry="a.py",
        start=("python", "a.py"), port=None, base=Base("3.13", "b:1", "r:1"), env=(("A", "1"),),
        steps=(Run("runtime", "x", argv, env),),
    )  # fmt: skip


def test_a_script_stands_as_it_is_with_its_words_and_variables_above():
    script = "# What it is for.\nset -eu;\nfor name in a b; do\n    echo $name;\n# Why this.\n    true;\ndone;"
    assert layout.run(
        ("--mount=type=cache,target=/c",), ("A=1", "B='2 3'"), [("sh", "-c", script, "sh", "x | y", "z")]
    ) == (
        "RUN --mount=type=cache,target=/c \\\n"
        "    export A=1 B='2 3'; \\\n"
        "    set -- 'x | y' z; \\\n"
        "# What it is for.\n"
        "    set -eu; \\\n"
        "    for name in a b; do \\\n"
        "        echo $name; \\\n"
        "# Why this.\n"
        "        true; \\\n"
        "    done;"
    )


def test_a_comment_is_never_the_first_line_of_a_run():
    assert layout.run((), (), [("sh", "-c", "# About it.\nset -eu;\ntrue;")]) == "RUN set -eu; \\\n    true;"


def test_a_long_command_is_wrapped_between_its_words():
    words = [f"--option-{number}={'x' * 20}" for number in range(8)]
    text = layout.run((), (), [("tool", *words, "a b")])
    assert max(map(len, text.split("\n"))) <= layout.WIDTH + 10
    assert shlex.split(seen_by_the_shell(text)) == ["tool", *words, "a b"]


def test_several_commands_are_one_layer_and_share_their_variables():
    commands = [
        ("uv", "venv"),
        ("find", "/o", "!", "-name", "a*", "-exec", "cp", "{}", "+"),
        ("sh", "-c", "true;\nid;"),
    ]
    assert layout.run(("--mount=x",), ("A=1", "B=2"), commands) == (
        "RUN --mount=x \\\n"
        "    export A=1 B=2 && \\\n"
        "    uv venv && \\\n"
        "    find /o ! -name 'a*' -exec cp {} + && \\\n"
        "    sh -c 'true; \\\n"
        "        id;'"
    )


def test_lines_of_code_that_are_words_stand_on_lines_of_their_own():
    text = layout.run((), (), [("python", "-c", "import sys;\nprint(sys.argv)", "import a", "b")])
    assert text == "RUN python -c 'import sys; \\\n        print(sys.argv)' \\\n    'import a' \\\n    b"


@pytest.mark.parametrize("script", [rewrite._REWRITE, rewrite._DROP, static._IF_SET, static._WRITE])
def test_a_script_of_python_means_the_same_on_one_line(script: str):
    program, option, seen, word = shlex.split(seen_by_the_shell(layout.run((), (), [("python", "-c", script, "word")])))
    assert (program, option, word) == ("python", "-c", "word")
    assert ast.dump(ast.parse(script)) == ast.dump(ast.parse(seen))


@pytest.mark.parametrize("name", ["install", "collect", "finish"])
def test_a_script_of_the_shell_has_the_same_words_on_one_line(name: str):
    script = debian.script(name)
    code = "\n".join(line for line in script.split("\n") if not line.lstrip().startswith("#"))
    assert shlex.split(seen_by_the_shell(layout.run((), (), [("sh", "-c", script)]))) == shlex.split(code)


@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=20), min_size=1
    )
)
def test_the_words_of_a_script_reach_it_unchanged(words: list[str]):
    if any("<<" in word for word in words):
        return
    (run,) = [
        s for s in dockerfile.instructions(render(plan("sh", "-c", "set -eu;\ntrue;", "sh", *words))) if s.word == "RUN"
    ]
    assert shlex.split(run.rest)[: 2 + len(words)] == ["set", "--", *words[:-1], f"{words[-1]};"]
    assert shlex.split(run.rest)[2 + len(words) :] == ["set", "-eu;", "true;"]


@pytest.mark.parametrize("script", ['["/bin/evil"]', "--mount=type=secret,id=x true", "# nothing", "$(id)", "<x cat"])
def test_what_run_would_take_for_something_else_stays_a_quoted_word(script: str):
    assert layout.run((), (), [("sh", "-c", script)]) == f"RUN sh -c {shlex.quote(script)}"


@pytest.mark.parametrize(
    "script",
    [
        "true;\nRUN id \\",
        "cat <<EOF;\nEOF",
        "a;\ttrue",
        "true; # hides the rest\nfalse;",
        "true;\n# the end",
        "true;\n",
        "",
    ],
)
def test_a_script_that_would_not_survive_is_refused_in_words(script: str):
    with pytest.raises(S2IError) as caught:
        render(plan("sh", "-c", script))
    assert (caught.value.code, caught.value.exit) == ("E_WORD", 4)
    assert "$.steps[0].argv[2]" in str(caught.value)


@pytest.mark.parametrize(
    "argv", [("tool", "a\nb"), ("sh", "-x", "a;\nb"), ("sh", "-c", "true", "sh", "a\nb"), ("a\nb",)]
)
def test_only_a_script_may_have_lines(argv: tuple[str, ...]):
    with pytest.raises(S2IError):
        render(plan(*argv))
