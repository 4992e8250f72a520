"""Hostile trees: what each is, how it is made, and how `s2i plan` has to end. For the benchmark and the unit tests.

A tree is a plain Flask application with one bomb beside it, or in it. "" as its outcome is a plan.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
APP = {"app.py": FLASK, "requirements.txt": "flask==3.0.3\n"}
_PROJECT = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["flask"]\n'
_DEEP = 20_000

Files = dict[str, str | bytes]


class Hostile(NamedTuple):
    """One tree: ``make`` fills an empty folder; ``outcome`` is the code of the error, "" for a plan.

    ``heavy``: it takes long to make, and is left to the benchmark.
    """

    name: str
    make: Callable[[Path], None]
    outcome: str = ""
    where: str = ""
    heavy: bool = False


def trees() -> Iterator[Hostile]:
    """Yield every hostile tree."""
    yield from _sizes()
    for name, files, outcome, where in (*_tables(), *_lists(), *_modules()):
        yield Hostile(name, _written(files), outcome, where)


def _written(files: Callable[[], Files]) -> Callable[[Path], None]:
    # Texts are made as late as that: a process is measured to have had at least the memory of who started it.
    def make(root: Path) -> None:
        for path, content in {**APP, **files()}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def _sizes() -> Iterator[Hostile]:
    yield Hostile("100,000 files", _many(100, 1_000, "f"), "E_TOO_MANY_FILES", heavy=True)
    yield Hostile("100,000 folders in folders", _many(300, 340, ""), "E_TOO_MANY_FILES", heavy=True)
    yield Hostile("9,000 packages with nothing in them", _many(100, 90, "__init__.py"), heavy=True)
    yield Hostile(
        "20,000 packages with nothing in them", _many(100, 195, "__init__.py"), "E_TOO_MANY_FILES", heavy=True
    )
    yield Hostile("a sparse file of 2 GB", _big("data.bin", sparse=True), "E_TREE_TOO_BIG")
    yield Hostile("a file of 2 GB", _big("data.bin", sparse=False), "E_TREE_TOO_BIG", heavy=True)
    yield Hostile("an ignored file of 2 GB", _big("data.bin", sparse=False, ignored=True), heavy=True)
    yield Hostile("folders 1,500 deep", _deep(1_500))
    yield Hostile("folders 5,000 deep", _deep(5_000), "E_PATH_LONG", heavy=True)


Row = tuple[str, Callable[[], Files], str, str]


def _tables() -> tuple[Row, ...]:
    bad, lock, toml = "E_TOML", "uv.lock", "pyproject.toml"

    def project(text: str, path: str = toml) -> Callable[[], Files]:
        return lambda: {toml: _PROJECT, path: text if path != toml else f"{_PROJECT}[tool.x]\n{text}\n"}

    keys = ".".join(["a"] * _DEEP)
    return (
        ("an array nested 20,000 deep", project("a = " + "[" * _DEEP + "]" * _DEEP), bad, toml),
        ("inline tables nested 20,000 deep", project("a = " + "{a=" * _DEEP + "1" + "}" * _DEEP), bad, toml),
        ("a dotted key of 20,000 parts", project(f"{keys} = 1"), bad, f"{toml}:6"),
        ("a quoted dotted key of 20,000 parts", project('"a" . ' * _DEEP + "a = 1"), bad, f"{toml}:6"),
        ("a table header of 20,000 parts", project(f"[{keys}]\nb = 1"), bad, f"{toml}:6"),
        ("an inline dotted key of 20,000 parts", project(f"a = {{ {keys} = 1 }}"), bad, f"{toml}:6"),
        ("an integer of 100,000 digits", project("a = " + "9" * 100_000), bad, toml),
        ("1 MB of array tables", project("[[a]]\n" * 160_000), "", ""),
        ("a string that never ends", project('a = """' + "\\\n" * 200_000), bad, f"{toml}:200005"),
        ("pyproject.toml of 2 MB", project("# x\n" * 500_000), "E_FILE_TOO_BIG", ""),
        ("a lock of 220,000 packages", _packages, "E_FILE_TOO_BIG", ""),
        ("a lock with a dotted key of 20,000 parts", project(f"{keys} = 1", lock), bad, f"{lock}:1"),
        ("s2i.toml nested 20,000 deep", lambda: {"s2i.toml": "start = " + "[" * _DEEP}, bad, "s2i.toml"),
    )


def _packages() -> Files:
    return {
        "pyproject.toml": _PROJECT,
        "uv.lock": "".join(f'[[package]]\nname = "p{n}"\nversion = "1"\n' for n in range(220_000)),
    }


def _lists() -> tuple[Row, ...]:
    wrong, text = "E_REQ", "requirements.txt"

    def asked(content: str | bytes) -> Callable[[], Files]:
        return lambda: {text: content}

    return (
        ("requirements of 50,000 lines", lambda: {text: "".join(f"p{n}==1\n" for n in range(50_000))}, "", ""),
        ("a requirement with 500,000 spaces", asked("flask" + " " * 500_000 + "!\n"), wrong, f"{text}:1"),
        ("a requirement with 100,000 clauses", asked("flask" + ">=1," * 100_000 + "!\n"), wrong, f"{text}:1"),
        ("a name of 900,000 letters", asked("f" * 900_000 + "!\n"), wrong, f"{text}:1"),
        ("a marker in 20,000 parentheses", asked("flask; " + "(" * _DEEP + "\n"), wrong, f"{text}:1"),
        ("a marker of 100,000 clauses", asked("flask; " + "os_name=='a' and " * 40_000 + "\n"), wrong, f"{text}:1"),
        ("120,000 lines that go on", asked("flask\\\n" * 120_000), wrong, f"{text}:1"),
        ("300,000 empty -r lines", asked("-r\n" * 300_000), wrong, f"{text}:1"),
        (
            "UTF-16 that breaks off",
            asked(b"\xff\xfe" + "flask\n".encode("utf-16-le") + b"\x00"),
            "E_ENCODING",
            f"{text}:2",
        ),
        ("half a surrogate pair in UTF-16", asked(b"\xff\xfe" + b"\x00\xd8" * 200_000), "E_ENCODING", f"{text}:1"),
        ("a Procfile of 100,000 lines", lambda: {"Procfile": "w: x\n" * 100_000}, "E_FILE_TOO_BIG", ""),
        (".python-version of 1 MB", lambda: {".python-version": "3" * (1 << 20)}, "E_FILE_TOO_BIG", ""),
        (
            "requires-python with a number of 5,000 digits",
            lambda: {"pyproject.toml": _PROJECT + f'requires-python = ">=3.{"9" * 5_000}"\n'},
            "E_PYTHON_VERSION",
            "pyproject.toml:5",
        ),
        (".gitignore of stars", lambda: {".gitignore": ("*a" * 60 + "b\n") * 60, "a" * 200: ""}, "", ""),
        (".gitignore of 100,000 rules", lambda: {".gitignore": "a*\n" * 100_000}, "E_IGNORE", ".gitignore"),
    )


def _modules() -> tuple[Row, ...]:
    syntax = "E_PY_SYNTAX"
    return (
        ("20,000 parentheses", _one("x = " + "(" * _DEEP + ")" * _DEEP), syntax, "app.py:1"),
        ("a sum of 450,000 ones", _one("x = " + "1+" * 450_000 + "1"), syntax, "app.py:1"),
        ("450,000 minus signs", _one("x = " + "-" * 450_000 + "1"), syntax, "app.py:1"),
        ("20,000 attributes of attributes", _one("x = a" + ".a" * _DEEP), syntax, "app.py:1"),
        ("20,000 branches of one if", _one("if a:\n  b\n" + "elif a:\n  b\n" * _DEEP), syntax, "app.py:1"),
        (
            "a module in punycode",
            lambda: {"app.py": "# coding: punycode\n" + "a" * 300_000 + "-" + "z" * 300_000},
            syntax,
            "app.py:1",
        ),
        ("a number of 500,000 digits", _one("x = " + "9" * 500_000), syntax, "app.py:1"),
        ("1 MB of decorators", _one("@a\n" * 300_000 + "def f(): pass\n"), syntax, "app.py:1"),
        ("1 MB of text", _one("x = '" + "a" * 1_000_000 + "'\n"), "", ""),
        ("a chain of 10,000 aliases", _chain, "", ""),
        ("a hierarchy of 10,000 classes", _classes, "", ""),
        ("200 modules that re-export each other", _reexports, "", ""),
        ("3,000 modules that star-import the next", _circle, "", ""),
        ("20 modules that star-import all others", _knot, "", ""),
        ("30 factories that call all others", _factories, "", ""),
        ("50 MB of modules", _heap, "", ""),
        ("20 MB of modules that all name Flask", _flasks, "", ""),
    )


def _one(text: str) -> Callable[[], Files]:
    return lambda: {"app.py": f"{text}\n{FLASK}" if text.startswith("x") else f"{FLASK}\n{text}\n"}


def _chain() -> Files:
    return {"app.py": FLASK + "a0 = app\n" + "".join(f"a{n} = a{n - 1}\n" for n in range(1, 10_000))}


def _classes() -> Files:
    deep = "".join(f"class C{n}(C{n - 1}): pass\n" for n in range(1, 10_000))
    return {"app.py": f"from flask import Flask\nclass C0(Flask): pass\n{deep}app = C0(__name__)\n"}


def _reexports() -> Files:
    return {f"m/a{n}.py": f"from m.a{(n + 1) % 200} import app, create_app\n" for n in range(200)}


def _circle() -> Files:
    return {f"m/a{n}.py": f"from m.a{(n + 1) % 3_000} import *\nx{n} = other\n" for n in range(3_000)}


def _knot() -> Files:
    stars = "".join(f"from m.a{n} import *\n" for n in range(20))
    return {f"m/a{n}.py": f"{stars}\nimport m.a1\nx{n} = m.a1.missing\n" for n in range(20)}


def _factories() -> Files:
    returns = "".join(f"    if x: return f{n}()\n" for n in range(30))
    return {"m.py": "".join(f"def f{n}():\n{returns}" for n in range(30))}


def _heap() -> Files:
    text = "".join(f"def f{n}(a, b=1):\n    return [a, b, {n}, 'text', (a + b) * 2]\n" for n in range(14_000))
    return {f"m/a{n}.py": text for n in range(60)}


def _flasks() -> Files:
    text = "from flask import Flask\n" + "x = [1, 2, 3, (4, 5), {'a': 1}]\n" * 5_000
    return {f"m/n/o/a{n}.py": text for n in range(125)}


def _many(folders: int, each: int, name: str) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        _written(dict)(root)
        for folder in range(folders):
            (root / f"d{folder}").mkdir()
            for number in range(each):
                above = root / f"d{folder}"
                if name == "f":
                    (above / f"{number}.txt").touch()
                    continue
                (above / f"p{number}").mkdir()
                if name:
                    (above / f"p{number}" / name).touch()

    return make


def _big(name: str, *, sparse: bool, ignored: bool = False) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        _written(lambda: {".gitignore": f"{name}\n"} if ignored else {})(root)
        with (root / name).open("wb") as file:
            if not sparse:
                with contextlib.suppress(OSError):  # a file system that cannot set blocks aside
                    os.posix_fallocate(file.fileno(), 0, 2 << 30)
            file.truncate(2 << 30)

    return make


def _deep(depth: int) -> Callable[[Path], None]:
    def make(root: Path) -> None:
        _written(dict)(root)
        here = os.open(root, os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("m.py", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)

    return make
