"""One command line that somebody wrote for this source: what it runs, as far as that can be told without a shell."""

from __future__ import annotations

import posixpath
import re

import msgspec

from s2i.patterns import lazily
from s2i.sources import Tree

SERVERS = frozenset({"gunicorn", "hypercorn", "uvicorn", "daphne", "waitress-serve", "granian", "flask", "fastapi"})
_TARGET = lazily(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\([^()]*\))?", re.ASCII)
_MODULE = lazily(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
_SETTING = lazily(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.ASCII | re.DOTALL)
_PYTHON = lazily(r"python(3(\.\d{1,2})?)?")
# What only stands in front of the real command.
_RUNNERS = frozenset(
    {"exec", "newrelic-admin", "run-program", "opentelemetry-instrument", "ddtrace-run", "honcho", "env"}
)
_TOOLS = {"poetry": "run", "pipenv": "run", "uv": "run", "pdm": "run", "hatch": "run", "rye": "run"}
# Options of python, gunicorn and their like that take a value, as they stand before what is run.
_BARE = frozenset({"-u", "-O", "-B", "-E", "-s", "-S", "-I", "-q", "-b", "-v"})


class Command(msgspec.Struct, frozen=True):
    """``program`` with its ``words``; ``target`` is a "module:name", ``script`` a path, ``module`` what `-m` names.

    ``folder`` is where it changes to first; ``before`` what runs before it, in the same line.
    """

    program: str
    words: tuple[str, ...] = ()
    target: str = ""
    script: str = ""
    module: str = ""
    folder: str = ""
    before: tuple[str, ...] = ()


def read(text: str) -> Command | None:
    """Return what a command line runs; None when only a shell could tell."""
    import shlex

    *before, line = [part.strip() for part in text.split("&&")]
    if any(mark in line for mark in ("||", ";", "|", "`", "$(", "\n", "<", ">")):
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    folder = ""
    for part in list(before):
        if found := re.fullmatch(r"cd\s+([A-Za-z0-9._/-]+)", part):
            folder = posixpath.normpath(posixpath.join(folder, found[1]))
            before.remove(part)
    words = _unwrapped(words)
    if not words or folder.startswith(("..", "/")):
        return None
    return _command(words, folder, tuple(before))


def missing(command: Command, tree: Tree, installed: frozenset[str], tools: frozenset[str]) -> str:
    """Say what of a command is not there, "" when it all is.

    ``installed`` are the distributions that are known to be installed, ``tools`` the console scripts of the project.
    """
    program = command.program
    if command.script and posixpath.join(command.folder, command.script) not in tree:
        return f"there is no {command.script}"
    if command.module and not command.target:
        top = command.module.partition(".")[0]
        here = any(e.path.startswith((f"{top}/", f"src/{top}/", f"{top}.py")) for e in tree.files)
        if not here and top.replace("_", "-") not in installed:
            return f"{top} is neither in the source nor in what is installed"
    if program == "python" or program in SERVERS or program in tools or program in ("sh", "bash"):
        return ""
    if program.startswith("./") or "/" in program:
        return "" if posixpath.normpath(program) in tree else f"there is no {program}"
    return "" if program in installed else f"{program} is not installed"


def _unwrapped(words: list[str]) -> list[str]:
    while words:
        first = words[0]
        if _SETTING.fullmatch(first) or first in _RUNNERS:
            words = words[1:]
        elif first in _TOOLS and len(words) > 1 and words[1] == _TOOLS[first]:
            words = words[2:]
        elif first.startswith("bin/start-nginx") or first == "bin/start-pgbouncer":
            words = words[1:]
        elif _PYTHON.fullmatch(first) and words[1:3] and words[1] == "-m" and words[2] in ("ptvsd", "debugpy"):
            words = [first, *[w for w in words[3:] if not w.startswith("-") and not w.isdigit() and w != "localhost"]]
            break
        else:
            break
    return words


def _command(words: list[str], folder: str, before: tuple[str, ...]) -> Command:
    first = posixpath.basename(words[0]) if words[0].startswith(("/", "./venv", ".venv", "venv/")) else words[0]
    rest = words[1:]
    if _PYTHON.fullmatch(first):
        while rest and rest[0] in _BARE:
            rest = rest[1:]
        if rest[:1] == ["-m"] and len(rest) > 1 and _MODULE.fullmatch(rest[1]):
            if rest[1] in SERVERS:
                return _server(rest[1], rest[2:], folder, before)
            return Command("python", tuple(rest), module=rest[1], folder=folder, before=before)
        script = rest[0] if rest and rest[0].endswith(".py") else ""
        return Command(
            "python", tuple(rest), script=posixpath.normpath(script) if script else "", folder=folder, before=before
        )
    if first in SERVERS:
        return _server(first, rest, folder, before)
    script = (
        next((w for w in rest if w.endswith(".py")), "") if first in ("streamlit", "panel", "bokeh", "shiny") else ""
    )
    return Command(first, tuple(rest), script=script, folder=folder, before=before)


def _server(name: str, rest: list[str], folder: str, before: tuple[str, ...]) -> Command:
    target = next((w for w in rest if _TARGET.fullmatch(w)), "")
    for index, word in enumerate(rest):
        if word in ("--chdir", "--app-dir", "--pythonpath") and index + 1 < len(rest):
            folder = posixpath.normpath(posixpath.join(folder, rest[index + 1]))
        elif word.startswith(("--chdir=", "--app-dir=")):
            folder = posixpath.normpath(posixpath.join(folder, word.partition("=")[2]))
    if not target and name in ("gunicorn", "daphne"):  # `gunicorn shop.wsgi` means its `application`
        plain = [w for w in rest if _MODULE.fullmatch(w)]
        target = f"{plain[-1]}:application" if plain and rest[-1] == plain[-1] else ""
    script = next((w for w in rest if w.endswith(".py")), "") if name in ("flask", "fastapi") else ""
    if folder.startswith(("..", "/")):
        folder = ""
    return Command(
        name, tuple(rest), target=target, script=script, folder="" if folder == "." else folder, before=before
    )
