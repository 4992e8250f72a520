"""What the stages of a Dockerfile start from and where they work, as far as its own variables tell."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

import msgspec

from s2i.errors import E_DOCKERFILE
from s2i.patterns import lazily
from s2i.planning.dockerfile import PATH, Instruction, instructions

Known = dict[str, str | None]  # None: it has a value, which cannot be told from the Dockerfile

_LONGEST = 4096  # characters of a word with its variables filled in
KERNEL = ("proc", "sys", "dev")
_SPACE = lazily(r"[\t\r ]+")
_IMAGE = lazily(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_WORD = r"""(?:"(?:[^"\\]|\\.)*"|'[^'\\]*'|[^\s"'\\]|\\.)+"""
_PAIR = lazily(r"([A-Za-z_][A-Za-z0-9_.-]*)(?:=(.*))?", re.DOTALL)
_VARIABLE = lazily(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?-)([^${}]*))?\})")
# Builders and the caller give these a value of their own, whatever the Dockerfile says.
_GIVEN = lazily(
    r"(?i:(https?|ftp|no|all)_proxy)|(BUILD|TARGET)(PLATFORM|OS|ARCH|VARIANT)|TARGETSTAGE|SOURCE_DATE_EPOCH|BUILDKIT_.*"
)


def bases(text: str) -> tuple[str, ...]:
    """Return the images that a Dockerfile starts from or takes files from, each once.

    Raises E_DOCKERFILE for what cannot be told.
    """
    found: dict[str, None] = {}
    stages: set[str] = set()
    known: Known = {}
    for step in instructions(text):
        if step.word == "ARG" and not stages:
            _set(known, known, step)
        elif step.word == "FROM":
            written, alias = _from(step)
            image = expand(written, known, closed=True)
            if image is None or not _IMAGE.fullmatch(image):
                why = f"FROM {written}: which image this is cannot be told before the build"
                raise E_DOCKERFILE(why=why, where=f"{PATH}:{step.line}")
            if image.lower() not in stages and image != "scratch":
                found[image] = None
            stages.add(alias)
        else:
            taken = (expand(written, known, closed=True) for written in _taken(step))
            found |= {image: None for image in taken if image and _is_image(image, stages)}
    return tuple(found)


def _taken(step: Instruction) -> Iterator[str]:
    """Yield what an instruction takes files from: a stage, by name or number, or an image."""
    for word in step.rest.split():
        if not word.startswith("--"):
            return
        if step.word == "COPY" and word.startswith("--from="):
            yield word.removeprefix("--from=").strip("\"'")
        elif step.word == "RUN" and word.startswith("--mount="):
            parts = word.removeprefix("--mount=").split(",")
            yield from (part.removeprefix("from=") for part in parts if part.startswith("from="))


def _is_image(name: str, stages: set[str]) -> bool:
    return name.lower() not in stages and not name.isdecimal() and name != "scratch" and bool(_IMAGE.fullmatch(name))


def foundation(text: str) -> str:
    """Return the image that the last stage of a Dockerfile stands on; "" for scratch, and where it cannot be told."""
    standing: dict[str, str] = {}
    known: Known = {}
    image = ""
    for step in instructions(text):
        if step.word == "ARG" and not standing and not image:
            _set(known, known, step)
        elif step.word == "FROM":
            written, alias = _from(step)
            named = expand(written, known, closed=True) or "scratch"
            image = standing.get(named.lower(), "" if named == "scratch" else named)
            if alias:
                standing[alias] = image
    return image


def in_kernel(folder: str) -> bool:
    """Say whether an absolute folder lies in a file system of the kernel: /proc, /sys, /dev."""
    return posixpath.normpath("/" + folder.lstrip("/")).split("/")[1] in KERNEL


def check_workdirs(text: str, *, unknown: bool = True) -> None:
    """Refuse a WORKDIR in /proc, /sys, /dev; with ``unknown``, one that cannot be told. Raises E_DOCKERFILE."""
    for step, folder in _workdirs(text):
        where = f"{PATH}:{step.line}"
        if folder is None and unknown:
            why = f"WORKDIR {step.rest}: which folder this is cannot be told; give its variables a plain value by ENV"
            raise E_DOCKERFILE(why=why, where=where)
        if folder is not None and in_kernel(folder):
            raise E_DOCKERFILE(why="WORKDIR must not lead into /proc, /sys or /dev (CVE-2024-21626)", where=where)


def expand(word: str, known: Mapping[str, str | None], *, closed: bool = False) -> str | None:
    """Return a word without its quotes and variables; None when that cannot be told.

    ``closed``: a variable that is not in ``known`` is not set.
    """
    inner = word
    if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'":
        inner = word[1:-1]
        if word[0] == "'" and "$" in inner:
            return None
    if re.search(r"[\\\"'`]", inner) or "$" in _VARIABLE.sub("", inner):
        return None
    values = [_value(found, known, closed) for found in _VARIABLE.finditer(inner)]
    if None in values or sum(len(value or "") for value in values) > _LONGEST:
        return None  # variables made of variables double each time
    rest = iter(values)
    return _VARIABLE.sub(lambda found: next(rest) or "", inner)


def _value(found: re.Match[str], known: Mapping[str, str | None], closed: bool) -> str | None:
    name, default = found[1] or found[2], found[4]
    if _GIVEN.fullmatch(name):
        return None
    if name not in known:
        return default if closed else None
    return default if known[name] == "" and found[3] == ":-" else known[name]


def _from(step: Instruction) -> tuple[str, str]:
    """Return what a FROM starts from, as it is written, and the name of its stage ("" for none)."""
    words = [word for word in _SPACE.split(step.rest) if not word.startswith("--")]
    named = len(words) == 3 and words[1].upper() == "AS"
    return (words[0] if words else ""), (words[2].lower() if named else "")


def _workdirs(text: str) -> Iterator[tuple[Instruction, str | None]]:
    """Yield each WORKDIR and its absolute folder, None when it cannot be told.

    A base's own folder counts as /: the base is looked at by itself, and .. leads nowhere else from there.
    """
    before: Known = {}
    stages: dict[str, _Stage] = {}
    stage = _Stage()
    started = False
    for step in instructions(text):
        match step.word:
            case "FROM":
                written, alias = _from(step)
                base = stages.get((expand(written, before, closed=True) or "").lower(), _Stage())
                # ARG ends with its stage for some builders, and does not for others.
                stage = _Stage(dict(base.env) | dict.fromkeys(base.args.keys() - base.env.keys()), {}, base.folder)
                started = True
                if alias:
                    stages[alias] = stage
            case "ARG":
                _set(stage.args if started else before, stage.scope if started else before, step, before)
            case "ENV":
                _set(stage.env, stage.scope, step)
            case "WORKDIR":
                folder = _into(stage.folder, step.rest, stage.scope)
                yield step, folder
                stage.folder = folder or "/"
            case "ONBUILD":
                yield from _triggered(stage, step)


class _Stage(msgspec.Struct):
    env: Known = {}
    args: Known = {}
    folder: str = "/"

    @property
    def scope(self) -> Known:
        return self.args | self.env  # ENV wins, wherever it stands


def _triggered(stage: _Stage, step: Instruction) -> Iterator[tuple[Instruction, str | None]]:
    """Yield a WORKDIR that runs in stages that start from this one, whatever that has set by then."""
    words = _SPACE.split(step.rest, maxsplit=1)
    later = Instruction(words[0].upper(), words[-1], step.line)
    if later.word == "WORKDIR":
        yield step, _into("/", later.rest, {} if "$" in later.rest else stage.scope)
    elif later.word in ("ENV", "ARG"):
        stage.env.update(dict.fromkeys(_pairs(later) or stage.scope))


def _into(folder: str, rest: str, known: Known) -> str | None:
    value = expand(rest, known)
    return None if value is None else posixpath.normpath("/" + posixpath.join(folder, value).lstrip("/"))


def _set(into: Known, scope: Known, step: Instruction, before: Mapping[str, str | None] | None = None) -> None:
    """Take over what an ENV or ARG sets; ``before``: the values of the ARGs above the first FROM."""
    pairs = _pairs(step)
    if pairs is None:
        into.update(dict.fromkeys(scope))
        return
    for name, written in pairs.items():
        into[name] = (before or {}).get(name) if written is None else expand(written, scope)


def _pairs(step: Instruction) -> dict[str, str | None] | None:
    """Return the names that an ENV or ARG sets and what is written for each; None when that is no plain reading."""
    head = _SPACE.split(step.rest, maxsplit=1)
    if step.word == "ENV" and "=" not in head[0]:
        return {head[0]: head[-1]}
    if not re.fullmatch(rf"{_WORD}(?:\s+{_WORD})*+", step.rest):
        return None
    pairs = [_PAIR.fullmatch(word) for word in re.findall(_WORD, step.rest)]
    return {found[1]: found[2] for found in pairs if found} if all(pairs) else None


def assigned(step: Instruction) -> dict[str, str | None]:
    """Return the names that an ENV or ARG sets and what is written for each, as far as it is a plain reading."""
    return _pairs(step) or {}
