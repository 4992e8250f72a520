"""The argument for a plan: of every line of every golden Dockerfile, of lines of the source, of the whole."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from s2i import assets, sources
from s2i.errors import S2IError
from s2i.images.dockerfile import render
from s2i.planning import known, saved
from s2i.planning.explain import Explanation, LineExplanation, explain, explain_line, parts
from s2i.planning.explain.recipe import again, regions
from s2i.planning.plan import BuildPlan, Copy, Decision, Mount, Run

FIXTURES = Path(__file__).parents[2] / "fixtures"
RENDERED = sorted(path.parent.name for path in FIXTURES.glob("*/Dockerfile"))
PLANNED = sorted(p.parent.name for p in FIXTURES.glob("*/plan.json") if b'"error"' not in p.read_bytes()[:20])


def golden(name: str) -> tuple[BuildPlan, str]:
    folder = FIXTURES / name
    return saved.decode((folder / "plan.json").read_bytes(), "plan.json"), (folder / "Dockerfile").read_text()


@pytest.fixture
def line_of():
    """Explain a place in a fixture."""

    def explained(name: str, place: str) -> LineExplanation:
        plan, text = golden(name)
        with sources.fetch(sources.parse(str(FIXTURES / name / "app")), policy=sources.Policy()) as tree:
            return explain_line(tree, plan, text, place)

    return explained


@pytest.mark.parametrize("name", RENDERED)
def test_each_line_of_a_golden_dockerfile_says_what_it_does_and_what_breaks_without_it(name: str) -> None:
    plan, text = golden(name)
    lines = text.splitlines()
    dumb = []
    with sources.fetch(sources.parse(str(FIXTURES / name / "app")), policy=sources.Policy()) as tree:
        for number, line in enumerate(lines, 1):
            told = explain_line(tree, plan, text, f"Dockerfile:{number}")
            part = told.parts[0]
            if not (part.says and part.without and told.role) or part.says.startswith("The instruction"):
                dumb.append(line)
            if number > lines.index("") + 1 and not told.layer:
                dumb.append(line)
    assert [] == dumb


@pytest.mark.parametrize("name", RENDERED)
def test_each_step_of_a_golden_plan_has_its_lines_in_the_dockerfile(name: str) -> None:
    plan, text = golden(name)
    lines = text.splitlines()
    found = {region.step: region for region in regions(plan, text) if region.step is not None}
    assert list(range(len(plan.steps))) == sorted(found)
    for index, step in enumerate(plan.steps):
        region = found[index]
        assert (step.stage, f"# {step.why}") == (region.stage, lines[region.first - 2])


@pytest.mark.parametrize("row", parts.rows(), ids=lambda row: f"{row.of}-{row.stage}-{row.has or row.begins}")
def test_a_row_of_the_table_is_reached_by_what_it_is_about(row: parts.Row) -> None:
    if row.of == "#":
        assert row == parts.comment(f"# {row.has}")
        return
    text = f"{row.of} {row.has or 'x'}"
    if row.begins:
        text = f"{row.of} x \\\n    {row.begins.removeprefix(row.of + ' ')}A=1"
    elif row.of == "ENV":
        text = "ENV A=1 \\\n    OTHER=1"
    plan = BuildPlan(buildpack="x", kind="job", framework="x", manager="x", python="3.13", entry="x", start=("x",))
    (region,) = regions(plan, text)
    region = msgspec.structs.replace(region, stage=row.stage or "runtime")
    last = text.split("\n")[-1]
    assert row == (parts.one_line(region, last) if "\n" in text and row.begins != "ENV " else parts.whole(region))


def test_a_row_names_decisions_that_the_table_of_decisions_has() -> None:
    named = {what for row in parts.rows() for what in row.decisions}
    assert set() == named - set(known.decisions())


def test_a_key_that_the_tables_do_not_know_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Dockerfile.toml").write_text('[[part]]\nof = "RUN"\nsays = "x"\nwithout = "x"\nwhy = "x"\n')
    monkeypatch.setattr(assets, "folder", lambda name: tmp_path)
    parts.rows.cache_clear()
    with pytest.raises(msgspec.ValidationError, match="unknown field `why`"):
        parts.rows()
    monkeypatch.undo()
    parts.rows.cache_clear()


def test_a_mount_is_explained_by_itself_and_with_the_step_that_it_is_part_of(line_of) -> None:
    told = line_of("flask-hello", "Dockerfile:14")
    assert ("line 1 of 15 of step 2, RUN, in the build stage", 2) == (told.role, told.step)
    assert "lines 14 to 28: Install the dependencies" == told.belongs
    assert told.parts[0].without == "Each change of a dependency would download all of them again."
    assert () == told.decided


def test_an_instruction_names_its_layer_and_what_changes_it(line_of) -> None:
    told = line_of("flask-hello", "Dockerfile:43")
    assert ("layer 3 of the image, counted from its base", "when any file of the source changes") == (
        told.layer,
        told.again,
    )
    assert "no layer: it changes the image's metadata only" == line_of("flask-hello", "Dockerfile:49").layer
    assert (
        "a layer of the build stage, kept in the build cache and not shipped"
        == line_of("flask-hello", "Dockerfile:14").layer
    )


def test_the_start_command_leads_to_the_decisions_behind_it(line_of) -> None:
    told = line_of("flask-hello", "Dockerfile:52")
    assert ["entry", "server"] == [argument.what for argument in told.decided]
    assert ("app.py:3", "app = Flask(__name__)") == (told.decided[0].because.where, told.decided[0].because.text)


def test_an_empty_line_and_a_comment_stand_for_what_is_below(line_of) -> None:
    assert line_of("flask-hello", "Dockerfile:52").parts == line_of("flask-hello", "Dockerfile:50").parts
    assert "a comment, above the CMD in line 52" == line_of("flask-hello", "Dockerfile:51").role


def test_a_line_of_the_source_says_what_was_decided_from_it(line_of) -> None:
    told = line_of("flask-hello", "app.py:3")
    assert ["kind", "entry"] == [argument.what for argument in told.decided]
    assert "app = Flask(__name__)" == told.text


def test_a_line_that_spoke_for_what_lost_says_so(line_of) -> None:
    told = line_of("two-apps-decided", "admin.py:3")
    assert ["entry"] == [argument.what for argument in told.decided]


def test_a_line_that_nothing_was_decided_from_says_what_its_file_is(line_of) -> None:
    told = line_of("flask-hello", "app.py:1")
    assert ("the module that was parsed", ()) == (told.role, told.decided)
    role = "a file that says what to install: a change of it repeats the build from step 1 on"
    assert role == line_of("job-script", "requirements.txt:1").role


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("Dockerfile:53", 'cannot explain "Dockerfile:53": the Dockerfile has 52 lines'),
        ("Dockerfile:0", 'cannot explain "Dockerfile:0": it names no line'),
        ("app.py", 'cannot explain "app.py": it names no line'),
        ("app.py:9999999999", 'cannot explain "app.py:9999999999": it names no line'),
        ("app.py:-1", 'cannot explain "app.py:-1": it names no line'),
        ("app.py:٣", 'cannot explain "app.py:٣": it names no line'),
        ("none.py:1", 'cannot explain "none.py:1": there is no such file in the source, or it was left out'),
        ("../golden.py:1", 'cannot explain "../golden.py:1": there is no such file in the source, or it was left out'),
    ],
)
def test_a_place_that_is_not_there_is_refused(place: str, why: str, line_of) -> None:
    with pytest.raises(S2IError) as refused:
        line_of("flask-hello", place)
    assert ("E_PLACE", 2, why) == (refused.value.code, refused.value.exit, refused.value.message)


@pytest.fixture
def explained(tree_of, plan_of):
    """Plan files and explain the plan."""

    def story(files: dict[str, str | bytes]) -> Explanation:
        plan = plan_of(files)
        text = str(files["Dockerfile"]) if plan.dockerfile else render(plan)
        return explain(tree_of(files), plan, text)

    return story


def test_what_was_left_out_is_counted_with_its_reason(explained, flask: str) -> None:
    told = explained(
        {
            "app.py": flask,
            "sub/deep/old.py": "print 'x'\n",
            "tests/test_app.py": "",
            ".gitignore": "*.log\nbig/\n",
            "x.log": "",
            "big/1": "",
            "requirements.txt": "flask\n",
        }
    )
    assert (
        "1 Python file of tests, migrations and the like: tests/test_app.py",
        "1 file that Python cannot parse: sub/deep/old.py",
        "2 paths because of .gitignore",
    ) == told.read.left_out
    assert 1 == told.read.modules


def test_what_lost_is_the_line_that_flips_the_decision(explained, flask: str) -> None:
    told = explained({"app.py": flask, "requirements.txt": "flask\n", "docs/app.py": flask})
    flips = {argument.what: argument.flip for argument in told.decided}
    assert 'entry = "docs.app:app" in s2i.toml' == flips["entry"]
    assert 'python = "3.12" in s2i.toml' == flips["python"]


def test_what_was_set_is_flipped_by_taking_it_out(explained, flask: str) -> None:
    told = explained({"app.py": flask, "requirements.txt": "flask\n", "s2i.toml": 'python = "3.11"\n'})
    python = next(argument for argument in told.decided if argument.what == "python")
    assert "take python out of s2i.toml:1: s2i then decides by itself" == python.flip


def test_a_decision_that_no_table_knows_is_argued_by_its_own_name(tree_of, plan_of, flask: str) -> None:
    files = {"app.py": flask, "requirements.txt": "flask\n"}
    plan = plan_of(files)
    plan = msgspec.structs.replace(plan, decisions=(Decision("colour", "red", "app.py:2", "weak"),))
    (argument,) = explain(tree_of(files), plan, render(plan)).decided
    assert ("colour", "change app.py:2") == (argument.asks, argument.flip)
    assert "weak: a guess; say it in s2i.toml when it is wrong" == argument.sure


def test_a_step_that_no_table_knows_is_explained_by_its_own_reason(tree_of, plan_of, flask: str) -> None:
    files = {"app.py": flask, "requirements.txt": "flask\n"}
    plan = plan_of(files)
    plan = msgspec.structs.replace(plan, steps=(*plan.steps, Run("runtime", "Paint it red", ("paint", "red"))))
    text = render(plan)
    number = text.split("\n").index("RUN paint red") + 1
    told = explain_line(tree_of(files), plan, text, f"Dockerfile:{number}")
    assert (
        "Paint it red. A command that is run once, in the build; what it writes is a layer of the image."
        == told.parts[0].says
    )


def test_a_dockerfile_of_its_own_is_explained_as_it_stands(explained) -> None:
    text = 'FROM a AS one\nRUN x\n\nFROM b\n# Bring it\nCOPY --from=one /x /x\nUSER root\nCMD ["x"]\n'
    told = explained({"Dockerfile": text})
    assert [("build", "RUN x", None), ("runtime", "Bring it", 1)] == [(s.stage, s.why, s.layer) for s in told.build]
    assert ("x",) == told.run.command


def test_a_step_runs_again_when_something_that_was_read_above_it_changes() -> None:
    plan = BuildPlan(
        buildpack="x", kind="job", framework="x", manager="x", python="3.13", entry="x", start=("x",),
        steps=(
            Run("build", "a", ("a",)),
            Copy("build", "b", ("r.txt",), "/app/"),
            Run("build", "c", ("c",), mounts=(Mount("bind", "/x", source="b.txt"),)),
            Copy("build", "d", ("e", "f"), "/app/"),
            Run("runtime", "e", ("e",)),
            Copy("runtime", "f", ("/opt/venv",), "/opt/venv", from_stage="build"),
            Copy("runtime", "g", (".",), "/app/"),
        ),
    )  # fmt: skip
    assert (
        "when the base image changes",
        "when r.txt changes",
        "when r.txt or b.txt changes",
        "when one of 4 files changes (r.txt, b.txt …)",
        "when the base image changes",
        "when one of 4 files changes (r.txt, b.txt …)",
        "when any file of the source changes",
    ) == again(plan)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('FROM a\nCMD ["python", "-m", "my app"]\n', ("python", "-m", "my app")),
        ("FROM a\nCMD exec python app.py\n", ("/bin/sh", "-c", "exec python app.py")),
        ('FROM a\nENTRYPOINT ["tini", "--"]\nCMD ["python", \\\n  "app.py"]\n', ("tini", "--", "python", "app.py")),
        ('FROM a\nENTRYPOINT python app.py\nCMD ["--debug"]\n', ("/bin/sh", "-c", "python app.py")),
        ('FROM a AS b\nCMD ["python"]\nFROM b\nRUN true\n', ()),
    ],
)
def test_the_command_of_an_own_dockerfile_is_read_as_docker_reads_it(
    text: str, command: tuple[str, ...], explained
) -> None:
    assert command == explained({"Dockerfile": text}).run.command
