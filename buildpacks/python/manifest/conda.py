"""environment.yml: accepted when conda only brings the Python and pip does the rest; else refused in words.

No YAML library is needed for the shape that conda writes: keys, lists, one nested list under "pip".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from buildpacks.python import requirements, version
from buildpacks.python.manifest import files, windows
from buildpacks.python.manifest.facts import Manifest, Pyproject
from s2i.errors import E_UNSUPPORTED
from s2i.planning.plan import Decision
from s2i.sources import Tree

PATHS = ("environment.yml", "environment.yaml")
# What conda brings that an image has already: no package of its own.
_HARMLESS = frozenset({"python", "pip", "setuptools", "wheel"})
_ITEM = re.compile(r"( *)- +(.*)")
_SPEC = re.compile(r"(?:[A-Za-z0-9_-]+::)?([A-Za-z0-9._-]+)\s*(.*)", re.ASCII)
_PYTHON = re.compile(r"={1,2}\s*(3(?:\.\d+){0,2})(?:\.\*|\*)?(?:=\S*)?", re.ASCII)


class _Item(msgspec.Struct, frozen=True):
    indent: int
    text: str
    where: str


def present(tree: Tree, _: Pyproject) -> str:
    """Return the path of a conda environment or of pixi's, else ""."""
    return next((path for path in (*PATHS, "pixi.toml") if path in tree), "")


def read(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of the pip section. Raises E_UNSUPPORTED (exit 4) for packages of conda, E_REQ…."""
    path = present(tree, pyproject)
    if path == "pixi.toml":
        raise _refusal(path, path)
    conda, pip, included = _sections(tree, path)
    wishes: tuple[version.Wish, ...] = ()
    for item in conda:
        found = _SPEC.fullmatch(item.text)
        name = requirements.normalise(found[1]) if found else ""
        if found is None or name not in _HARMLESS:
            raise _refusal(path, item.where, item.text)
        if name == "python":
            wishes = _python(found[2].strip(), item.where)
    parsed = {item.text: requirements.parse(item.text, item.where) for item in pip}
    wanted = [found for found in parsed.values() if found]
    listed = [requirements.read(tree, file) for file in included]
    dropped, notices = windows.only(wanted)
    words = [requirements.word(item.text, item.where) for item in pip if parsed[item.text] not in dropped]
    return Manifest(
        manager="conda-pip",
        decision=Decision("manager", "conda-pip", f"{path}:1"),
        files=tuple(dict.fromkeys(name for file in listed for name in file.files)),
        words=(*words, *(word for name in included for word in ("-r", requirements.file_word(name, path)))),
        asked={r.name: r for r in (*wanted, *(r for file in listed for r in file.found)) if r not in dropped},
        python=wishes,
        needs_source=any(file.local or not files.copied_alone(file.files) for file in listed),
        is_project=pyproject.is_project,
        dynamic_version=pyproject.dynamic_version,
        rewrite=tuple(name for file in listed for name in file.rewrite),
        notices=notices,
    )


def _sections(tree: Tree, path: str) -> tuple[list[_Item], list[_Item], tuple[str, ...]]:
    """Return conda's own packages, those of pip, and the requirements files that pip includes."""
    conda: list[_Item] = []
    pip: list[_Item] = []
    included: list[str] = []
    pip_indent = -1
    for item in _items(tree, path):
        if pip_indent >= 0 and item.indent > pip_indent:
            if item.text.startswith("-r "):
                included.append(item.text[3:].strip())
            else:
                pip.append(item)
        elif item.text.replace(" ", "") == "pip:":
            pip_indent = item.indent
        else:
            pip_indent = -1
            conda.append(item)
    return conda, pip, tuple(included)


def _items(tree: Tree, path: str) -> Iterator[_Item]:
    """Yield the items of "dependencies". Raises E_UNSUPPORTED for YAML that conda does not write."""
    inside = False
    for number, raw in enumerate(tree.text(path, 256 << 10).splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).rstrip()
        where = f"{path}:{number}"
        if not line or line == "---":
            continue
        if not line.startswith((" ", "-")):
            key, _, value = line.partition(":")
            inside = key.strip("\"'") == "dependencies"
            if inside and value.strip():
                yield from _flow(path, value.strip(), where)
            continue
        if not inside:
            continue
        found = _ITEM.fullmatch(line)
        if found is None or found[2].startswith(("{", "[", "&", "*", "!", "|", ">")):
            raise _refusal(path, where, line.strip())
        yield _Item(len(found[1]), found[2].strip("\"' "), where)


def _flow(path: str, value: str, where: str) -> Iterator[_Item]:
    """Yield the items of a list on one line: [python=3.11, pip]."""
    if not re.fullmatch(r"\[[^\[\]{}]*\]", value):
        raise _refusal(path, where, value)
    yield from (_Item(0, part.strip().strip("\"'"), where) for part in value[1:-1].split(",") if part.strip())


def _python(spec: str, where: str) -> tuple[version.Wish, ...]:
    if not spec:
        return ()
    if found := _PYTHON.fullmatch(spec):
        return (version.specifier(found[1], where),)
    return (version.specifier(spec, where),)


def _refusal(path: str, where: str, package: str = "") -> Exception:
    what = f"a conda environment ({path})" if not package else f"a conda environment ({path}: {package[:60]})"
    fix = "put what is needed into requirements.txt (`pip freeze > requirements.txt`), or write a Dockerfile"
    return E_UNSUPPORTED(what=what, fix=fix, where=where)
