"""Lay out the command of a RUN as a person would: a variable a line, long commands wrapped, scripts as scripts.

A word of a plan may be a script of several lines, when it follows ``-c``. A Dockerfile joins the lines of an
instruction into one, so each line of such a script must end as if the next one stood behind it: with ``;``, ``&&``
or ``do``. A line that begins with # is a comment, of the script and of the Dockerfile alike.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence

WIDTH = 112  # characters of a line; a longer word stands alone
INDENT = "    "
_BEGINS = re.compile(r"(?:[ ]*#[^\n]*\n)*[A-Za-z/].*", re.DOTALL)
_SHELL = ("sh", "-c")


def run(options: Sequence[str], env: Sequence[str], commands: Sequence[Sequence[str]]) -> str:
    """Return a RUN instruction of ``commands``, each run when those before it went well.

    ``options`` (its mounts) and ``env`` (NAME=value, quoted) stand before them.
    """
    if len(commands) == 1 and is_script(commands[0]):
        lines = [*options, *_script(env, commands[0])]
    elif len(commands) == 1:
        lines = [*options, *env, *_command(commands[0])]
    else:  # variables in front of a command hold for that one only
        lines = [*options, *([f"export {' '.join(env)} &&"] if env else [])]
        for number, command in enumerate(commands):
            *others, last = _command(command)
            lines += [*others, last if number == len(commands) - 1 else f"{last} &&"]
    while _is_comment(lines[0]):
        lines.pop(0)  # the step's own comment stands above
    return _joined(["RUN " + lines[0], *(line if _is_comment(line) else INDENT + line for line in lines[1:])])


def _joined(lines: Sequence[str]) -> str:
    r"""Return lines that go on with a backslash. A comment in between goes on without one."""
    last = max(number for number, line in enumerate(lines) if not _is_comment(line))
    shown = lines[: last + 1]
    return "\n".join(line if _is_comment(line) or number == last else f"{line} \\" for number, line in enumerate(shown))


def _is_comment(line: str) -> bool:
    """Say whether a line of a script is a comment."""
    return line.lstrip().startswith("#")


def is_script(argv: Sequence[str]) -> bool:
    """Say whether a command is a script with its words, which RUN itself can run: it starts a shell anyway.

    What does not begin like a command could be something else to RUN: an array, an option.
    """
    known = tuple(argv[:2]) == _SHELL and (len(argv) == 3 or argv[3] == "sh")
    return known and _BEGINS.fullmatch(argv[2]) is not None


def _script(env: Sequence[str], argv: Sequence[str]) -> Iterator[str]:
    if env:
        yield f"export {' '.join(env)};"
    if words := argv[4:]:
        yield from _wrapped(("set", "--", *words), end=";")
    yield from _lines(argv[2])


def _lines(script: str) -> Iterator[str]:
    """Yield the lines of a script; comments at the left edge, where every builder knows them for what they are."""
    for line in script.split("\n"):
        if line.strip():
            yield line.lstrip() if _is_comment(line) else line.rstrip()


def _command(argv: Sequence[str]) -> Iterator[str]:
    """Yield a command in lines. A script of several lines among its words begins and ends a line of its own."""
    if len(argv) < 3 or argv[1] != "-c" or "\n" not in argv[2]:
        yield from _wrapped(argv)
        return
    first, *others = _lines(shlex.quote(argv[2]))
    yield f"{shlex.join(argv[:2])} {first}"
    yield from (line if _is_comment(line) else INDENT + line for line in others)
    if any(" " in word for word in argv[3:]):
        yield from map(shlex.quote, argv[3:])
    elif argv[3:]:
        yield from _wrapped(argv[3:])


def _wrapped(words: Sequence[str], end: str = "") -> Iterator[str]:
    line: list[str] = []
    for word in map(_quoted, words):
        if line and len(" ".join(line)) + len(word) > WIDTH:
            kept = _without_loose_end(line)
            yield " ".join(kept)
            line = [INDENT + " ".join((*line[len(kept) :], word))]
        else:
            line.append(word)
    yield " ".join(line) + end


def _without_loose_end(line: Sequence[str]) -> Sequence[str]:
    """Return a line without the words at its end that belong to what follows: options, and what `find` joins with."""
    kept = len(line)
    while kept > 2 and (line[kept - 1] == "!" or line[kept - 1].startswith("-")):
        kept -= 1
    return line[:kept]


def _quoted(word: str) -> str:
    """Quote a word for the shell; what `find` is written with needs no quotes there."""
    return word if word in ("!", "{}") else shlex.quote(word)
