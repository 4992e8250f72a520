"""Find the program of a job, and run nothing: ``resolve SIGN ARGV``. See inside/__init__.py."""

import os
import shutil
import sys
from importlib.machinery import PathFinder

SIGN = (sys.argv[1:] or [""])[0]


def resolve(argv: list) -> None:  # type: ignore[type-arg]
    """Say ``resolves HOW`` or ``lacks WHY`` for a command."""
    program, rest = argv[0], argv[1:]
    path = shutil.which(program)
    if path is None:
        there = os.path.exists(program) and "/" in program
        say("lacks", "{} {}".format(program, "is not executable" if there else "is not in the image"))
        return
    problem = _interpreted(path)
    if not problem and os.path.basename(path).startswith("python"):
        problem = _python(rest)
    elif not problem and os.path.basename(path) == "jupyter" and rest[:1] == ["execute"] and len(rest) > 1:
        problem = "" if os.path.isfile(rest[-1]) else f"there is no file {rest[-1]}"
    say("lacks", problem) if problem else say("resolves", path)


def _interpreted(path: str) -> str:
    """Say what is wrong with the first line of a script; "" for nothing, and for a binary."""
    try:
        with open(path, "rb") as file:
            first = file.readline(4096)
    except OSError as error:
        return "" if os.access(path, os.X_OK) else f"{path}: {error.strerror}"
    if not first.startswith(b"#!"):
        return ""
    words = first[2:].split()
    asked = os.fsdecode(words[0]) if words else ""
    return "" if asked and os.access(asked, os.X_OK) else f"{path} asks for {asked}, which is not there"


def _python(rest: list) -> str:  # type: ignore[type-arg]
    """Say what is wrong with what ``python`` is told to run; "" for nothing."""
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c", "-"):
        rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
    if not rest or rest[0] == "-":
        return ""
    if rest[0] == "-m":
        return _module(rest[1]) if len(rest) > 1 else "python -m names no module"
    if rest[0] == "-c":
        return _compiles(rest[1].encode(), "the text of -c") if len(rest) > 1 else "python -c has no text"
    path = rest[0]
    if os.path.isdir(path):
        path = os.path.join(path, "__main__.py")
    try:
        with open(path, "rb") as file:
            return _compiles(file.read(), rest[0])
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        return f"there is no file {path}" if absent else f"{path}: {error.strerror}"


def _compiles(text: bytes, name: str) -> str:
    try:
        compile(text, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return "{}:{}: {}".format(name, getattr(error, "lineno", 0) or 0, error)
    return ""


def _module(name: str) -> str:
    """Look a module up part by part: the import system's own way would import its packages."""
    where = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(":")), *sys.path]
    parts = name.split(".")
    for index, part in enumerate(parts):
        if index == 0 and part in sys.builtin_module_names:
            return ""
        found = PathFinder.find_spec(".".join(parts[: index + 1]), where)
        if found is None:
            return "there is no module {}".format(".".join(parts[: index + 1]))
        where = list(found.submodule_search_locations or ())
    if where and PathFinder.find_spec(name + ".__main__", where) is None:
        return f"{name} is a package without __main__.py"
    return ""


def say(word: str, value: str) -> None:
    """Write one marked line at once."""
    os.write(1, f"\ns2i-proof {SIGN} {word} {value}\n".encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    resolve(sys.argv[2:])
