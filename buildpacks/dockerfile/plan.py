"""A Dockerfile of the source's own: checked, reported on, built as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from s2i.errors import E_DOCKERFILE_SYNTAX, E_NOT_PYTHON
from s2i.planning.detection import Detection
from s2i.planning.dockerfile import PATH, Instruction, check, frontend, instructions
from s2i.planning.plan import Base, BuildPlan, Decision
from s2i.planning.remote import check_remote
from s2i.planning.secretnames import looks_secret
from s2i.planning.settings import Given
from s2i.planning.stages import assigned, bases, check_workdirs
from s2i.sources import Notice, Tree

PORT = 8080
_OFFICIAL = re.compile(r"(docker\.io/)?docker/dockerfile(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?")
_NO_SECRETS = frozenset(('""', "''", "true", "false", "none", "null", "0", "1"))
_NOTES = {
    "ONBUILD": "runs in builds that start from this image: it does nothing here",
    "VOLUME": "is not honoured: a container's file system is read-only, and /tmp is what it can write to",
    "HEALTHCHECK": "is not honoured: ready is any answer on $PORT",
    "STOPSIGNAL": "is not honoured: instances are stopped with SIGTERM",
}


def detect(tree: Tree, given: Given, offered: tuple[Base, ...]) -> Detection:
    """Recognise a Dockerfile at the root. Raises E_NOT_PYTHON (exit 4), E_DOCKERFILE, E_DOCKERFILE_SYNTAX (exit 3)."""
    if PATH not in tree:
        names = sorted({e.path.split("/")[0] for e in tree.files})
        raise E_NOT_PYTHON(found=", ".join(names[:6]))
    text = tree.text(PATH)  # as the build reads it
    check(text)
    value, line = frontend(text)
    if value:
        raise E_DOCKERFILE_SYNTAX(value=value, where=f"{PATH}:{line}")
    check_workdirs(text)
    bases(text)
    check_remote(text)
    return Detection(
        buildpack="dockerfile",
        kind="job" if given.settings.kind == "job" else "http",
        framework="dockerfile",
        entry=PATH,
        decisions=(Decision("entry", PATH, f"{PATH}:1"),),
        notices=_policy(text),
    )


def plan(tree: Tree, found: Detection) -> BuildPlan:
    """Plan to build the Dockerfile as it stands."""
    return BuildPlan(
        buildpack="dockerfile", kind=found.kind, framework="dockerfile", manager="dockerfile", python="",
        entry=found.entry, start=(), port=None if found.kind == "job" else PORT, decisions=found.decisions,
        warnings=found.notices, dockerfile=PATH,
    )  # fmt: skip


def places(tree: Tree) -> tuple[str, ...]:
    """Return none: a Dockerfile further down is built when somebody names its folder."""
    return ()


def passed_over(tree: Tree) -> tuple[Notice, ...]:
    """Say that the Dockerfile was not used, and how to use it; refuse one that names a stranger's frontend.

    Somebody may build the folder with plain `docker build` after us, trusting that it was looked at.
    """
    if PATH not in tree:
        return ()
    text = tree.read(PATH).decode(errors="replace")
    check(text.removeprefix("\ufeff"))
    value, line = frontend(text)
    if value and not _OFFICIAL.fullmatch(value):
        raise E_DOCKERFILE_SYNTAX(value=value, where=f"{PATH}:{line}")
    check_workdirs(text, unknown=False)
    unused = Notice("W_DOCKERFILE", "was not used: the plan is made from the code; --strategy dockerfile uses it", PATH)
    return (unused, *_policy(text))


def _policy(text: str) -> tuple[Notice, ...]:
    """List what the Dockerfile asks for and the platform does otherwise."""
    found: list[Notice] = []
    for step in instructions(text):
        where = f"{PATH}:{step.line}"
        if step.word == "USER" and step.rest.split(":")[0] in ("root", "0"):
            found.append(Notice("W_DOCKERFILE_POLICY", "USER root is not honoured: instances run as 1001:0", where))
        elif step.word in ("ENV", "ARG"):
            found += (Notice("W_DOCKERFILE_SECRET", text, where) for text in _secrets(step))
        elif step.word in _NOTES:
            found.append(Notice("W_DOCKERFILE_POLICY", f"{step.word} {_NOTES[step.word]}", where))
    return tuple(found)


def _secrets(step: Instruction) -> Iterator[str]:
    """Yield what to say of each variable whose name looks like a secret's. Its value is not repeated."""
    for name, value in assigned(step).items():
        if not looks_secret(name):
            continue
        literal = bool(value) and "$" not in (value or "") and (value or "").lower() not in _NO_SECRETS
        if literal:
            text = f"{step.word} {name} writes its value into the image, for everybody who has it"
        elif step.word == "ARG" and value is None:
            text = f"ARG {name} leaves what it is given in the image's history"
        else:
            continue
        yield f"{text}: mount it where it is needed (RUN --mount=type=secret,id={name.lower()}), or set it to run"
