"""The programs that run inside of an image, called here as functions."""

from __future__ import annotations

import ast
import os
import sys
import types
from functools import partial
from pathlib import Path

import pytest

from s2i.images.prove.inside import Program, classify, probe, resolve
from s2i.images.prove.proof import Found
from s2i.images.prove.watch import found_in

FOLDER = Path(probe.__file__).parent


def wsgi(environ: object, start_response: object) -> object: ...
async def asgi(scope: object, receive: object, send: object) -> None: ...
async def renamed(a: object, b: object, c: object) -> None: ...
def plain_asgi(scope: object, receive: object, send: object) -> object: ...
def factory(debug: bool = False) -> object: ...
def two(a: object, b: object) -> object: ...
async def waits() -> None: ...
def anything(*args: object, **kwargs: object) -> object: ...
def handler(request: object) -> object: ...
def keyword(*, name: str) -> object: ...


class Flask:
    def __call__(self, environ: object, start_response: object) -> object: ...


class Starlette:
    async def __call__(self, scope: object, receive: object, send: object) -> None: ...


class Double:
    def __init__(self, scope: object) -> None: ...


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (wsgi, "wsgi"), (asgi, "asgi"), (renamed, "asgi"), (plain_asgi, "asgi"), (factory, "factory"), (two, "wsgi"),
        (waits, "unknown"), (anything, "unknown"), (handler, "unknown"), (keyword, "unknown"), (Flask(), "wsgi"),
        (Starlette(), "asgi"), (Flask, "factory"), (Double, "asgi"), (partial(wsgi, {}), "unknown"), ("app", "value"),
        (None, "value"), (dict, "unknown"), (partial(factory), "factory"), (lambda: Flask(), "factory"),
    ],
)  # fmt: skip
def test_a_callable_is_told_by_what_can_be_passed_to_it(value: object, shape: str) -> None:
    assert classify.shape(value) == shape


def module(**names: object) -> types.ModuleType:
    made = types.ModuleType("shop")
    for name, value in names.items():
        setattr(made, name, value)
        if isinstance(value, types.FunctionType):
            value.__module__ = "shop"
    return made


def test_the_applications_of_a_module_are_listed_the_usual_names_first() -> None:
    found = classify.applications(
        module(zeta=Flask(), application=Starlette(), two=two, _app=Flask(), Flask=Flask, n=3)
    )
    assert found == [["application", "asgi"], ["zeta", "wsgi"]]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Flask(), {"shape": "wsgi", "kind": "wsgi"}),
        (lambda: Starlette(), {"shape": "factory", "kind": "asgi"}),
        (lambda: 3, {"shape": "factory", "kind": ""}),
        ("text", {"shape": "value", "names": [["other", "wsgi"]]}),
    ],
)
def test_an_attribute_is_described(value: object, expected: dict[str, object]) -> None:
    found = classify.described(module(app=value, other=Flask()), "app")
    assert {key: found[key] for key in expected} == expected


def test_a_factory_that_raises_is_described_with_what_it_raised() -> None:
    def broken() -> object:
        raise KeyError("SECRET")

    found = classify.described(module(app=broken), "app")
    assert (found["shape"], found["error"], found["text"]) == ("factory", "KeyError", "'SECRET'")


def test_an_attribute_that_is_not_there_is_described_by_what_is() -> None:
    assert classify.described(module(web=Flask()), "app") == {"shape": "missing", "names": [["web", "wsgi"]]}


def test_an_exception_is_placed_at_the_last_line_of_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("\n\nimport json\njson.loads('{')\n")
    try:
        exec(compile((tmp_path / "mine.py").read_text(), str(tmp_path / "mine.py"), "exec"))  # noqa: S102
    except ValueError as error:
        found = classify.failure(error)
    assert (found["shape"], found["file"], found["line"]) == ("error", str(tmp_path / "mine.py"), 4)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["gone.py"], "there is no file gone.py"),
        (["good.py", "--all"], ""),
        (["-u", "-W", "error", "good.py"], ""),
        (["bad.py"], "bad.py:1: "),
        (["package"], ""),
        (["empty"], "there is no file empty/__main__.py"),
        (["-m", "json.tool"], ""),
        (["-m", "package"], ""),
        (["-m", "package.sub"], ""),
        (["-m", "package.none"], "there is no module package.none"),
        (["-m", "nobody_has_this"], "there is no module nobody_has_this"),
        (["-m", "empty"], "empty is a package without __main__.py"),
        (["-c", "print(1)"], ""),
        (["-c", "print("], "the text of -c:1: "),
        ([], ""),
    ],
)
def test_what_python_is_told_to_run_is_found_and_not_run(
    words: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("package", "empty"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "package" / "__main__.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "package" / "sub.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "good.py").write_text("raise SystemExit('it ran')")
    (tmp_path / "bad.py").write_text("print(")
    found = resolve._python(words)
    assert found[: len(problem)] == problem
    assert bool(found) == bool(problem)


def test_a_script_whose_interpreter_is_gone_is_told(tmp_path: Path) -> None:
    script = tmp_path / "run"
    script.write_text("#!/no/such/python\n")
    assert resolve._interpreted(str(script)) == f"{script} asks for /no/such/python, which is not there"
    script.write_text(f"#!{sys.executable}\n")
    assert resolve._interpreted(str(script)) == ""


@pytest.mark.parametrize("name", ["probe", "classify", "resolve"])
def test_each_program_is_one_that_python_3_6_can_read(name: str) -> None:
    ast.parse((FOLDER / f"{name}.py").read_text(), feature_version=(3, 6))


def said(program: Program, text: str) -> bytes:
    return f"s2i-proof {program.words[2]} {text}".encode()


def test_only_lines_with_the_sign_of_the_program_are_believed() -> None:
    program = Program("classify", "app:app", "60")
    lines = [
        b's2i-proof found {"shape": "asgi"}',
        b"s2i-proof 0123 found {}",
        b"hello",
        said(program, 'found {"shape": "wsgi"}'),
    ]
    assert found_in(program, iter(lines)) == Found("wsgi")


@pytest.mark.parametrize(
    "text", ['found {"shape": "evil"}', "found {", 'found {"shape": "wsgi", "line": "1"}', "found [" + "[" * 5000]
)
def test_what_is_no_answer_of_the_program_is_none(text: str) -> None:
    program = Program("classify")
    assert found_in(program, iter([said(program, text)])) == Found("nothing")


def test_a_stack_that_is_dumped_when_time_is_up_is_a_hang() -> None:
    program = Program("classify")
    lines = [
        said(program, "importing app"),
        b"Timeout (0:00:08)!",
        b"Thread 0x1 (most recent call first):",
        b'  File "/app/app.py", line 3 in x',
    ]
    found = found_in(program, iter(lines))
    assert (found.shape, found.stack[-1]) == ("hangs", '  File "/app/app.py", line 3 in x')
    assert found_in(program, iter([b"Timeout (0:00:08)!"])).shape == "nothing"


def test_a_line_goes_out_whole_whatever_it_holds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    monkeypatch.setattr(classify, "OUT", here)
    classify.say("found", "\ud800")
    os.close(here)
    assert (tmp_path / "out").read_bytes().endswith(b" found \\ud800\n")
