"""setup.py and setup.cfg, read and never run: what is written in them plainly is found, the rest needs a build."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from buildpacks.python import requirements, version
from buildpacks.python.manifest import facts, files, setup_py, windows
from buildpacks.python.manifest.facts import Manifest, Pyproject
from buildpacks.python.manifest.setup_py import UNKNOWN, Lines
from buildpacks.python.manifest.uvlock import uv_wanted
from s2i.errors import E_CONFIG, E_PYTHON_VERSION, E_REQ, S2IError
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

PY, CFG = "setup.py", "setup.cfg"
_LIST_FILE = re.compile(r"file:\s*([A-Za-z0-9._/, -]+)")


class _Said(msgspec.Struct, frozen=True):
    """What the two files say: ``texts`` None when the requirements cannot be told without a build."""

    texts: tuple[str, ...] | None = ()
    files: tuple[str, ...] = ()
    where: str = ""
    python: str = ""
    scripts: dict[str, str] = {}


def present_py(tree: Tree, _: Pyproject) -> str:
    """Return "setup.py" when there is one, else ""."""
    return PY if PY in tree else ""


def present_cfg(tree: Tree, _: Pyproject) -> str:
    """Return "setup.cfg" when it describes a package: most hold nothing but settings of other tools."""
    if CFG not in tree:
        return ""
    text = tree.text(CFG)
    return CFG if re.search(r"(?m)^\[(?:options|metadata)\]", text) else ""


def read_py(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of setup.py, and of the setup.cfg beside it. Raises E_REQ…, E_CONFIG (exit 3)."""
    return _manifest(
        tree, pyproject, "setup.py", _merged(_of_py(tree), _of_cfg(tree) if present_cfg(tree, pyproject) else None)
    )


def read_cfg(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of setup.cfg. Raises E_REQ…, E_CONFIG (exit 3)."""
    return _manifest(tree, pyproject, "setup.cfg", _of_cfg(tree))


def _manifest(tree: Tree, pyproject: Pyproject, path: Literal["setup.py", "setup.cfg"], said: _Said) -> Manifest:
    found = Manifest(
        manager=path,
        decision=Decision("manager", path, said.where or f"{path}:1"),
        tool=uv_wanted(tree, pyproject),
        scripts=said.scripts,
        python=_python(tree, path, said.python),
        is_project=True,
    )
    if said.files:
        named = [requirements.read(tree, file) for file in said.files]
        return msgspec.structs.replace(
            found,
            files=tuple(dict.fromkeys(file for one in named for file in one.files)),
            words=tuple(word for file in said.files for word in ("-r", requirements.file_word(file, path))),
            asked={r.name: r for one in named for r in one.found},
            needs_source=any(one.local or not files.copied_alone(one.files) for one in named),
            rewrite=tuple(file for one in named for file in one.rewrite),
        )
    if said.texts is None:
        return msgspec.structs.replace(found, words=(".",), needs_source=True, builds_project=True)
    try:
        asked = facts.asked(said.texts, said.where)
        words = {text: requirements.parse(text, said.where) for text in said.texts}
        checked = tuple(requirements.word(text, said.where) for text in words)
    except S2IError as error:
        if error.kind is not E_REQ:
            raise
        return msgspec.structs.replace(found, words=(".",), needs_source=True, builds_project=True)
    dropped, notices = windows.only(asked.values())
    lost = {r.name for r in dropped}
    return msgspec.structs.replace(
        found,
        words=tuple(text for text in checked if (wanted := words[text]) is None or wanted.name not in lost),
        asked={name: r for name, r in asked.items() if name not in lost},
        notices=notices,
    )


def _merged(first: _Said, second: _Said | None) -> _Said:
    """Return what setup.py says, and where it is silent what setup.cfg says."""
    if second is None or first.texts is None or first.texts or first.files:
        return first
    return _Said(
        second.texts, second.files, second.where, first.python or second.python, second.scripts | first.scripts
    )


def _of_py(tree: Tree) -> _Said:
    found = setup_py.read(tree)
    if found is None:
        return _Said(texts=None)
    wanted = found.get("install_requires", [])
    scripts = _scripts(found.get("entry_points"))
    python = found.get("python_requires")
    said = _Said(python=python if isinstance(python, str) else "", scripts=scripts, where=f"{PY}:{found['line']}")
    if isinstance(wanted, Lines):
        path = posixpath.normpath(wanted.path)
        return msgspec.structs.replace(said, files=(path,) if path in tree else (), texts=() if path in tree else None)
    if isinstance(wanted, str):
        wanted = wanted.split("\n")
    if not isinstance(wanted, list) or not all(isinstance(text, str) for text in wanted):
        return msgspec.structs.replace(said, texts=None)
    return msgspec.structs.replace(said, texts=_clean(wanted))


def _of_cfg(tree: Tree) -> _Said:
    import configparser  # here: most sources have no setup.cfg

    parser = configparser.RawConfigParser()
    try:
        parser.read_string(tree.text(CFG))
    except configparser.Error as error:
        line = getattr(error, "lineno", 0) or 1
        why, advice = str(error).split("\n")[0], "mend the file"
        raise E_CONFIG(why=why, where=f"{CFG}:{line}", advice=advice) from None
    wanted = parser.get("options", "install_requires", fallback="")
    where = toml.line_of(tree, CFG, "install_requires")
    python = parser.get("options", "python_requires", fallback="")
    scripts = _scripts({"console_scripts": parser.get("options.entry_points", "console_scripts", fallback="")})
    said = _Said(where=where, python=python, scripts=scripts)
    if found := _LIST_FILE.fullmatch(wanted.strip()):
        paths = tuple(posixpath.normpath(path.strip()) for path in found[1].split(","))
        known = all(path in tree for path in paths)
        return msgspec.structs.replace(said, files=paths if known else (), texts=() if known else None)
    return msgspec.structs.replace(said, texts=_clean(re.split(r"[\n;](?![^\n]*['\"])", wanted)))


def _clean(lines: Iterable[str]) -> tuple[str, ...]:
    stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
    return tuple(line for line in stripped if line)


def _scripts(entry_points: Any) -> dict[str, str]:
    """Return console scripts: a list of "name = module:function", or the same as lines of one text."""
    lines = entry_points.get("console_scripts") if isinstance(entry_points, dict) else None
    if isinstance(lines, str):
        lines = lines.split("\n")
    pairs = [line.partition("=") for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def _python(tree: Tree, path: str, specifier: str) -> tuple[version.Wish, ...]:
    if not specifier or specifier is UNKNOWN:
        return ()
    try:
        return (version.specifier(specifier, toml.line_of(tree, path, "python_requires")),)
    except S2IError as error:
        if error.kind is E_PYTHON_VERSION and path == PY:  # a name or an expression may stand there
            return ()
        raise
