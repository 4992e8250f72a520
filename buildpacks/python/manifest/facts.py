"""What a manifest says: the type that every reader returns, and what the readers share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from buildpacks.python import requirements, version
from buildpacks.python.requirements import Requirement
from s2i.errors import E_TOML
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Notice, Tree

Manager = Literal[
    "uv", "poetry", "pdm", "pylock", "pipenv", "requirements.txt", "pyproject", "setup.py", "setup.cfg", "conda-pip",
    "none",
]  # fmt: skip
LOCK_LIMIT = 8 << 20
# Groups that hold what runs in production, by the names that people give them. A group called dev is never installed.
RUNTIME_GROUPS = ("production", "prod")
_SPECIFIER = lazily(r"[0-9A-Za-z.*,<>=!~ ]{1,80}", re.ASCII)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is installed, and from which files.

    ``words`` are given to `uv pip install`: files ("-r", "requirements.txt") or requirements themselves. A lock of
    another tool is first turned into requirements by that tool, ``tool`` ("poetry>=2,<3"); for uv, ``tool`` is the
    version of uv that the source wants ("" for any). ``files`` suffice to install the dependencies, unless
    ``needs_source``. ``is_project``: the source itself can be installed; ``builds_project``: its dependencies are only
    known by building it, which installs it as well. ``locked`` holds the exact versions that a lock names, also of
    what nobody asked for by name; ``scripts`` the console scripts of the project: name to "module:function".
    ``added`` are distributions that no file asks for and the code imports; ``groups`` are installed beside the rest.
    """

    manager: Manager
    decision: Decision
    files: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    tool: str = ""
    groups: tuple[str, ...] = ()
    asked: dict[str, Requirement] = {}
    locked: dict[str, str] = {}
    scripts: dict[str, str] = {}
    python: tuple[version.Wish, ...] = ()
    needs_source: bool = False
    is_project: bool = False
    builds_project: bool = False
    dynamic_version: bool = False  # its version comes from Git, which the image has not
    exact: bool = False  # what is added later is installed apart: hashes and pins hold only among themselves
    stale: bool = False
    workspace: bool = False  # uv.lock stands in a root that is no project: all members are installed
    rewrite: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The normalised names of all distributions that are known to be installed."""
        return frozenset(self.asked) | frozenset(self.locked)


class Project(msgspec.Struct, frozen=True):
    """[project] of pyproject.toml, as far as it matters here."""

    name: str = ""
    requires_python: str = msgspec.field(name="requires-python", default="")
    dependencies: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    scripts: dict[str, str] = {}


class Pyproject(msgspec.Struct, frozen=True):
    """pyproject.toml: the whole table, and [project] in it (None when there is none)."""

    table: dict[str, Any]
    project: Project | None
    is_project: bool

    def tool(self, *names: str) -> dict[str, Any]:
        """Return the table [tool.A.B], {} when there is none."""
        return section(self.table, "tool", *names)

    @property
    def dynamic_version(self) -> bool:
        """Whether the project's version is not written in the file."""
        return bool(self.project and "version" in self.project.dynamic)


def read_pyproject(tree: Tree) -> Pyproject:
    """Return pyproject.toml, empty when there is none. Raises E_TOML and what reading a file raises."""
    table = toml.read(tree, "pyproject.toml") if "pyproject.toml" in tree else {}
    project = toml.convert(table["project"], Project, "pyproject.toml") if "project" in table else None
    is_package = section(table, "tool", "uv").get("package") is True  # uv then builds it without a [build-system]
    return Pyproject(table, project, "build-system" in table or "setup.py" in tree or is_package)


def section(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return a table inside a table, {} when it is not there or no table."""
    for name in names:
        inner = table.get(name)
        table = inner if isinstance(inner, dict) else {}
    return dict(table)


def requires_python(tree: Tree, project: Project | None) -> tuple[version.Wish, ...]:
    """Return what [project] asks of the Python. Raises E_PYTHON_VERSION."""
    if not project or not project.requires_python:
        return ()
    return (version.specifier(project.requires_python, toml.line_of(tree, "pyproject.toml", "requires-python")),)


def asked(texts: Iterable[str], where: str) -> dict[str, Requirement]:
    """Return requirements by name, those that are given by address left out. Raises E_REQ, E_REQ_LOCAL."""
    found = (requirements.parse(text.strip(), where) for text in texts)
    return {r.name: r for r in found if r}


def asked_by_project(tree: Tree, project: Project) -> dict[str, Requirement]:
    """Return what [project] depends on. Raises E_REQ, E_REQ_LOCAL."""
    return asked(project.dependencies, toml.line_of(tree, "pyproject.toml", "dependencies"))


def tool(name: str, spec: str, where: str) -> str:
    """Return "poetry>=2,<3" for a name and a specifier that a source gives. Raises E_TOML."""
    spec = re.sub(r"\s+", "", spec)
    if spec and spec[0].isdigit():
        spec = f"=={spec}"
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        if not _SPECIFIER.fullmatch(spec):
            raise InvalidSpecifier(spec)
        SpecifierSet(spec)
    except InvalidSpecifier:
        raise E_TOML(why=f'"{spec[:80]}" is no range of versions of {name}', where=where) from None
    return f"{name}{spec}"


def unmet(wanted: Mapping[str, Requirement], locked: Mapping[str, str]) -> str:
    """Return what a lock lacks of what is asked for, in words; "" when it has all.

    What holds only on other platforms (a marker) may be missing.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    for name, requirement in wanted.items():
        if name not in locked:
            if requirement.marker:
                continue
            return f"it does not have {name}"
        try:
            fits = not locked[name] or SpecifierSet(requirement.spec).contains(locked[name], prereleases=True)
        except (InvalidSpecifier, InvalidVersion):
            continue
        if not fits:
            return f"it has {name} {locked[name]}, asked for is {requirement.spec}"
    return ""


def closure(start: Iterable[str], edges: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return all names that are reached from ``start``, with the start."""
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting.extend(edges.get(name, ()))
    return frozenset(reached)


def stale(path: str, why: str) -> Notice:
    """Return the notice of a lock that is out of date."""
    return Notice("W_LOCK_STALE", f"{path} is out of date: {why}. The dependencies are resolved again", f"{path}:1")
