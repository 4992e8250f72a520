"""Render a plan as a Dockerfile. One template renders any plan; it asks this module for every word it writes.

A value of the source never meets the template's text: each goes through a filter that checks it in full and quotes it
for the place where it stands. What does not pass is a bug of a buildpack, never something to clean.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from typing import assert_never

from s2i import assets
from s2i.errors import E_WORD
from s2i.images import hints, layout
from s2i.planning.plan import BuildPlan, Copy, Mount, Run, Step, stages

LOCAL = "s2i.local/"
_PLAIN = re.compile(r"[ -\[\]-~]*")  # printable ASCII without the backslash, which is Dockerfile's escape
_PATH = re.compile(r"[A-Za-z0-9._/-]+")
_IMAGE = re.compile(r"[a-z0-9][a-z0-9._/:-]*(@sha256:[0-9a-f]{64})?")
_LAST = re.compile(r"(?:.*\n)?[ ]*[^#\n ][^\n]*", re.DOTALL)
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9@%+=:,./_ -]*")


def render(plan: BuildPlan) -> str:
    """Return the Dockerfile of a plan that has a base. Works on Docker 20.10's built-in frontend.

    Raises E_WORD (exit 4) for a word that cannot stand in a Dockerfile.
    """
    if found := wrong(plan):
        raise E_WORD(value=found[1], path=found[0])
    import jinja2  # here: the builds that were made before have their text already

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(assets.folder("templates")),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - no HTML: each place has its own filter
        keep_trailing_newline=True,
    )
    environment.filters = {
        "image": _image,
        "comment": _comment,
        "instruction": _instruction,
        "variable": _variable,
        "quoted": _quoted,
        "array": _array,
        "path": _path,
        "folder": lambda folder: folder if _PATH.fullmatch(folder) else "FOLDER" if folder else ".",
        "selectattr": environment.filters["selectattr"],
        "list": environment.filters["list"],
    }
    local = plan.base is not None and plan.base.runtime.startswith(LOCAL)
    template = environment.get_template("Dockerfile.j2")
    return template.render(plan=plan, local=local, hints=hints.found(plan), stages=stages(plan))


def wrong(plan: BuildPlan) -> tuple[str, str] | None:
    """Return the first word of a plan that cannot stand in a Dockerfile, behind its JSON path; None for none."""
    for path, check, value in _words(plan):
        try:
            check(value)
        except ValueError:
            return path, value
    return None


def _words(plan: BuildPlan) -> Iterator[tuple[str, Callable[[str], object], str]]:
    """Yield each word that is rendered: its JSON path, the filter that checks it, the word."""
    if plan.base:
        yield "$.base.build", _image, plan.base.build
        yield "$.base.runtime", _image, plan.base.runtime
    yield from _pairs("$.env", plan.env)
    if plan.workdir:
        yield "$.workdir", _path, plan.workdir
    for number, word in enumerate(plan.start):
        yield f"$.start[{number}]", _word, word
    for index, step in enumerate(plan.steps):
        at = f"$.steps[{index}]"
        yield f"{at}.why", _comment, step.why
        match step:
            case Run():
                for index, command in enumerate(step.commands):
                    inner = f"{at}.then[{index - 1}]" if index else f"{at}.argv"
                    yield f"{inner}[0]", _program, command[0] if command else ""
                    for number, word in enumerate(command):
                        yield f"{inner}[{number}]", _check_at(command, number), word
                yield from _pairs(f"{at}.env", step.env)
                for number, mount in enumerate(step.mounts):
                    for name in ("target", "id", "source"):
                        if name == "target" or getattr(mount, name):
                            yield f"{at}.mounts[{number}].{name}", _path, getattr(mount, name)
            case Copy():
                yield from ((f"{at}.sources[{number}]", _path, path) for number, path in enumerate(step.sources))
                yield f"{at}.to", _path, step.to
                if step.image:
                    yield f"{at}.image", _image, step.image
            case _:
                assert_never(step)


def _pairs(at: str, env: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, Callable[[str], object], str]]:
    for number, (name, value) in enumerate(env):
        yield f"{at}[{number}][0]", _variable, name
        yield f"{at}[{number}][1]", _quoted, value


def _instruction(step: Step) -> str:
    match step:
        case Run():
            return _run(step)
        case Copy() if step.from_stage is not None:
            return f"COPY --from={step.from_stage} {_array(_paths(step))}"
        case Copy() if step.image:
            return f"COPY --from={_image(step.image)} {_array(_paths(step))}"
        case Copy():
            return f"COPY {_array(_paths(step))}"
    assert_never(step)


def _run(step: Run) -> str:
    """Return RUN with its mounts, variables and commands, one a line. The words are quoted for the shell."""
    env = [f"{_variable(name)}={shlex.quote(_checked(_VALUE, value))}" for name, value in step.env]
    for command in step.commands:
        for number, word in enumerate(command):
            _check_at(command, number)(word)
    return layout.run([_mount(mount) for mount in step.mounts], env, step.commands)


def _mount(mount: Mount) -> str:
    parts = [f"type={mount.type}", f"target={_checked(_PATH, mount.target)}"]
    if mount.id:
        parts.insert(1, f"id={_checked(_PATH, mount.id)}")
    if mount.source:
        parts.append(f"source={_checked(_PATH, mount.source)}")
    if mount.locked:
        parts.append("sharing=locked")
    if mount.required:
        parts.append("required")
    return f"--mount={','.join(parts)}"


def _paths(step: Copy) -> tuple[str, ...]:
    return tuple(_path(path) for path in (*step.sources, step.to))


def _path(path: str) -> str:
    return _checked(_PATH, path)


def _array(words: tuple[str, ...]) -> str:
    return json.dumps([_word(word) for word in words])


def _word(word: str) -> str:
    if "<<" in word:  # newer frontends would take it for a heredoc
        raise ValueError(f"cannot stand in a Dockerfile: {word!r}")
    return _checked(_PLAIN, word)


def _check_at(argv: tuple[str, ...], number: int) -> Callable[[str], object]:
    """Return what checks word ``number`` of a command: a script behind -c may have several lines."""
    return _script if number == 2 and argv[1] == "-c" else _word


def _script(text: str) -> str:
    if not _LAST.fullmatch(text):  # a comment as its last line would swallow the quote that ends it
        raise ValueError(f"cannot be run: {text!r}")
    lines = text.split("\n")
    for line in lines:
        _word(line)
        if len(lines) > 1 and " #" in line.lstrip():  # once the lines are one, it would hide all that follows
            raise ValueError(f"cannot stand in a script: {line!r}")
    return text


def _program(word: str) -> str:
    """Check the first word of a command: with a dash it would be an option of RUN."""
    if not word or word.startswith("-"):
        raise ValueError(f"cannot be run: {word!r}")
    return word


def _comment(text: str) -> str:
    return _checked(_PLAIN, text)


def _image(name: str) -> str:
    return _checked(_IMAGE, name)


def _variable(name: str) -> str:
    return _checked(_VARIABLE, name)


def _quoted(value: str) -> str:
    return f'"{_checked(_VALUE, value)}"' if " " in value else _checked(_VALUE, value)


def _checked(allowed: re.Pattern[str], value: str) -> str:
    if not allowed.fullmatch(value):
        raise ValueError(f"cannot stand in a Dockerfile: {value!r}")
    return value
