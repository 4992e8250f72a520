"""Dependencies written as tables, as Poetry and Pipenv have them: made into what `uv pip install` takes."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from buildpacks.python import requirements
from buildpacks.python.requirements import Requirement, normalise
from s2i.errors import E_PATH_ESCAPE, E_TOML
from s2i.planning import toml
from s2i.sources import Notice, Tree

Dialect = Literal["poetry", "pipenv"]
# Keys of Pipenv that are markers by themselves: sys_platform = "== 'linux'".
_MARKERS = frozenset(
    {
        "os_name", "sys_platform", "platform_machine", "platform_python_implementation", "platform_release",
        "platform_system", "platform_version", "python_version", "python_full_version", "implementation_name",
    }
)  # fmt: skip
_INDEX = re.compile(r"https://[A-Za-z0-9._~:/-]+", re.ASCII)
_PYPI = re.compile(r"https?://pypi(?:\.python)?\.org/.*", re.ASCII)  # its old name answers no more everywhere
_CARET = re.compile(r"([\^~])\s*(\d{1,9}(?:\.\d{1,9}){0,5})([A-Za-z0-9.+-]{0,40})", re.ASCII)
_BARE = re.compile(r"\d[0-9A-Za-z.+!-]*(?:\.\*)?", re.ASCII)


class Asked(msgspec.Struct, frozen=True):
    """What a table of dependencies asks for: ``words`` for uv, ``found`` by name, whether folders are among them."""

    words: tuple[str, ...]
    found: dict[str, Requirement]
    local: bool = False


def read(tree: Tree, path: str, table: Mapping[str, Any], dialect: Dialect) -> Asked:
    """Return what ``table`` of the file ``path`` asks for. Raises E_TOML, E_REQ…, E_PATH_ESCAPE (exit 3)."""
    words: list[str] = []
    found: dict[str, Requirement] = {}
    local = False
    for name, value in table.items():
        where = toml.line_of(tree, path, name) if name.isascii() else path
        for entry in value if isinstance(value, list) else [value]:
            fields = {"version": entry} if isinstance(entry, str) else entry
            if not isinstance(fields, dict):
                raise E_TOML(why=f"{name[:60]} is neither a version nor a table", where=where)
            if fields.get("optional") is True:
                continue
            if place := fields.get("path") or _own(fields.get("file")):
                words += _folder(str(place), fields, where)
                local = True
                continue
            text = requirements.word(_text(name, fields, dialect, where), where)
            words.append(text)
            if wanted := requirements.parse(text, where):
                found[wanted.name] = wanted
    return Asked(tuple(words), found, local)


def pep440(constraint: str) -> str:
    """Return a constraint of Poetry as a specifier: "^3.10" gives ">=3.10,<4". Of "a || b", the last holds.

    "" for any version. What is no constraint comes back as it is, for the one who reads it to refuse.
    """
    last = re.split(r"\|\|?", constraint)[-1].strip()
    parts = [part for part in re.split(r"\s*,\s*|\s+(?=[<>=!~^])", last) if part]
    return ",".join(clause for part in parts if (clause := _clause(part.strip())))


def _clause(part: str) -> str:
    if part in ("*", "latest"):
        return ""
    if _BARE.fullmatch(part):
        return f"=={part}"
    if not (found := _CARET.fullmatch(part)):
        return re.sub(r"\s+", "", part)
    sign, release, rest = found.groups()
    numbers = [int(number) for number in release.split(".")]
    if sign == "~":
        bump = min(len(numbers) - 1, 1)
    else:  # the first number that is not 0 stays
        bump = next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)
    upper = [*numbers[:bump], numbers[bump] + 1]
    return f">={release}{rest},<{'.'.join(map(str, upper))}"


def indexes(tree: Tree, path: str, sources: object) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    """Return the words for uv that name the indexes but PyPI, and a notice for each that cannot be given.

    The first source takes PyPI's place, for Poetry unless its priority says that it stands beside it.
    https://python-poetry.org/docs/repositories/#package-sources
    """
    words: list[str] = []
    notices: list[Notice] = []
    is_first = True
    for source in sources if isinstance(sources, list) else ():
        url = source.get("url") if isinstance(source, dict) else None
        beside = isinstance(source, dict) and source.get("priority", "primary") not in ("primary", "default")
        is_main, is_first = is_first and not beside, is_first and beside
        if not isinstance(url, str) or _PYPI.fullmatch(url):
            continue
        if _INDEX.fullmatch(url):
            words += ["--default-index" if is_main else "--index", url]
        else:
            text = "an index is left out: its address is no plain https:// one, without credentials and variables"
            notices.append(Notice("W_INDEX", text, toml.line_of(tree, path, "url")))
    return tuple(words), tuple(notices)


def _own(file: object) -> object:
    return file if isinstance(file, str) and "://" not in file else None


def _text(name: str, fields: Mapping[str, Any], dialect: Dialect, where: str) -> str:
    """Return the requirement of PEP 508 for one entry."""
    extras = fields.get("extras", [])
    listed = f"[{','.join(map(str, extras))}]" if isinstance(extras, list) and extras else ""
    markers = [f"({m})" for m in _markers(fields, dialect)]
    marker = f" ; {' and '.join(markers)}" if markers else ""
    if address := _address(fields, where):
        return f"{name}{listed} @ {address}{marker}"
    version = fields.get("version", "*")
    if not isinstance(version, str):
        raise E_TOML(why=f"the version of {name[:60]} is no text", where=where)
    return f"{normalise(name) if dialect == 'poetry' else name}{listed}{pep440(version)}{marker}"


def _address(fields: Mapping[str, Any], where: str) -> str:
    git = fields.get("git")
    if not git:
        return str(fields.get("url") or fields.get("file") or "")
    address = str(git).removeprefix("git+")
    if found := re.fullmatch(r"git@([^:/]+):(.+)", address):
        address = f"ssh://git@{found[1]}/{found[2]}"
    revision = next((str(fields[key]) for key in ("rev", "tag", "branch", "ref") if fields.get(key)), "")
    folder = fields.get("subdirectory")
    return f"git+{address}{f'@{revision}' if revision else ''}{f'#subdirectory={folder}' if folder else ''}"


def _markers(fields: Mapping[str, Any], dialect: Dialect) -> list[str]:
    found = [str(fields["markers"])] if fields.get("markers") else []
    if dialect == "pipenv":
        return found + [f"{key} {fields[key]}" for key in sorted(_MARKERS & fields.keys())]
    if isinstance(python := fields.get("python"), str):
        for clause in filter(None, pep440(python).split(",")):
            parts = re.fullmatch(r"([<>=!~]+)(.+)", clause)
            found.append(f"python_full_version {parts[1]} '{parts[2]}'" if parts else clause)
    if isinstance(platform := fields.get("platform"), str):
        found.append(f"sys_platform == '{platform}'")
    return found


def _folder(place: str, fields: Mapping[str, Any], where: str) -> list[str]:
    inner = posixpath.normpath(place)
    if place.startswith("/") or inner.startswith(".."):
        raise E_PATH_ESCAPE(path=place, to="", where=where)
    if not re.fullmatch(r"[A-Za-z0-9._/-]+", inner):
        raise E_TOML(why="this path has a character that a Dockerfile cannot hold", where=where)
    path = "." if inner == "." else f"./{inner}"
    return ["-e", path] if fields.get("develop") is True or fields.get("editable") is True else [path]
