"""A Dockerfile of the source's own: checked, reported on, built as it is."""

from __future__ import annotations

import re

from s2i.errors import E_DOCKERFILE, E_DOCKERFILE_SYNTAX, E_NOT_PYTHON
from s2i.planning.detection import Detection
from s2i.planning.plan import Base, BuildPlan, Decision
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

PATH = "Dockerfile"
PORT = 8080
_DIRECTIVE = re.compile(r"#\s*([A-Za-z]+)\s*=\s*(\S.*?)\s*")
_OFFICIAL = re.compile(r"(docker\.io/)?docker/dockerfile(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?")
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)")
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
    text = _read(tree)
    if frontend := _frontend(text):
        raise E_DOCKERFILE_SYNTAX(value=frontend, where=f"{PATH}:1")
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


def passed_over(tree: Tree) -> tuple[Notice, ...]:
    """Say that the Dockerfile was not used, and how to use it; refuse one that names a stranger's frontend.

    Somebody may build the folder with plain `docker build` after us, trusting that it was looked at.
    """
    if PATH not in tree:
        return ()
    text = _read(tree)
    frontend = _frontend(text)
    if frontend and not _OFFICIAL.fullmatch(frontend):
        raise E_DOCKERFILE_SYNTAX(value=frontend, where=f"{PATH}:1")
    unused = Notice("W_DOCKERFILE", "was not used: the plan is made from the code; --strategy dockerfile uses it", PATH)
    return (unused, *_policy(text))


def _read(tree: Tree) -> str:
    return tree.read(PATH).decode(errors="replace").removeprefix("\ufeff")


def _frontend(text: str) -> str:
    """Return the value of a `# syntax=` directive: only comments may stand before it."""
    for line in text.splitlines():
        match = _DIRECTIVE.fullmatch(line.strip())
        if match and match[1].lower() == "syntax":
            return match[2]
        if line.strip() and not line.lstrip().startswith("#"):
            break
    return ""


def _policy(text: str) -> tuple[Notice, ...]:
    """List what the Dockerfile asks for and the platform does otherwise. Raises E_DOCKERFILE."""
    found: list[Notice] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _INSTRUCTION.fullmatch(line)
        if not match:
            continue
        name, value, where = match[1].upper(), match[2].strip(), f"{PATH}:{number}"
        if name == "WORKDIR" and "/proc/" in value:
            raise E_DOCKERFILE(why="WORKDIR must not lead into /proc (CVE-2024-21626)", where=where)
        if name == "USER" and value.split(":")[0] in ("root", "0"):
            found.append(Notice("W_DOCKERFILE_POLICY", "USER root is not honoured: instances run as 1001:0", where))
        elif name in _NOTES:
            found.append(Notice("W_DOCKERFILE_POLICY", f"{name} {_NOTES[name]}", where))
    return tuple(found)
