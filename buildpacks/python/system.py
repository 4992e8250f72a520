"""Which Debian packages an image needs: to compile the dependencies, and beside them when it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from buildpacks.python import packages
from buildpacks.python.manifest import Manifest
from s2i.planning import toml
from s2i.planning.code import Code
from s2i.planning.plan import Base, Decision
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

PATH = Path(__file__).with_name("system.toml")
MODULES = ("django.contrib.gis",)  # those that the table's rows name in `imports`
DEBIANS_PYTHON = "/usr/bin/python3"


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of system.toml; its head says what the fields mean."""

    names: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    wheels: dict[str, str] = {}
    say: str = ""
    why: str
    link: str
    case: str


class Renamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A package that people name and that Debian calls otherwise ``now``."""

    name: str
    now: str
    why: str
    link: str


class Present(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the bases made by s2i have already."""

    build: frozenset[str]
    run: frozenset[str]


class Own(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a list that somebody brings is understood."""

    tools: frozenset[str]
    aside: frozenset[str]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """system.toml."""

    need: tuple[Need, ...]
    renamed: tuple[Renamed, ...]
    present: Present
    own: Own


class System(msgspec.Struct, frozen=True):
    """Debian packages to ``build`` with and to ``run`` with: names, or "one | other" for the first that there is.

    ``compiled`` and ``served`` are the distributions that need them.
    """

    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()
    served: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notices: tuple[Notice, ...] = ()


def table() -> Table:
    """Return system.toml."""
    return toml.load(PATH, Table)


def used(code: Code) -> dict[str, str]:
    """Return which of MODULES the code uses, each with the ``file:line`` of its first use."""
    found: dict[str, str] = {}
    for wanted in MODULES:
        for module in code.modules.values():
            lines = [b.line for b in module.bindings.values() if f"{b.target}.".startswith(f"{wanted}.")]
            if lines:
                found.setdefault(wanted, f"{module.path}:{min(lines)}")
            elif wanted in module.words:
                found.setdefault(wanted, module.path)
    return found


def choose(tree: Tree, manifest: Manifest, uses: dict[str, str], given: Given, base: Base) -> System:
    """Return the packages for what is installed and used, with those that the source itself asks for.

    Raises E_CONFIG for a name in s2i.toml that cannot be a package's.
    """
    if not _concerned(tree, manifest, uses, given):
        return System()
    known = table()
    own = packages.read(tree, manifest, given, known.own.tools, {row.name: row.now for row in known.renamed})
    rows = [(need, name, where) for need in known.need for name, where in _met(need, manifest, uses, base)]
    build = [(package, name) for need, name, _ in rows for package in need.build]
    run = [(package, name) for need, name, _ in rows for package in _of_base(need.run, base)]
    build += [(package, "") for package in own.build]
    run += [(package, "") for package in own.run]
    if base.uv:  # a base made by s2i
        build = [(package, name) for package, name in build if package not in known.present.build]
        run = [(package, name) for package, name in run if package not in known.present.run]
    hint = packages.hint(tree, {package for package, _ in (*build, *run)}, known.own.tools | known.own.aside)
    return System(
        build=_unique(package for package, _ in build),
        run=_unique(package for package, _ in run),
        compiled=_unique(name for _, name in build if name),
        served=_unique(name for _, name in run if name),
        decisions=(*_decisions(rows, {p for p, _ in (*build, *run)}, base), *own.decisions),
        notices=(*(Notice("W_SYSTEM", n.say, where) for n, _, where in rows if n.say), *own.notices, *hint),
    )


def _concerned(tree: Tree, manifest: Manifest, uses: dict[str, str], given: Given) -> bool:
    """Say whether the table can have an answer. Most sources need nothing, and parsing it would cost them 15 ms."""
    if uses or given.settings.build_packages or given.settings.run_packages:
        return True
    if any(path in tree for path in (*packages.FILES, "Dockerfile")):
        return True
    text = PATH.read_text()
    return any(f'"{name}"' in text or f'"{name}[' in text for name in manifest.names)


def _met(need: Need, manifest: Manifest, uses: dict[str, str], base: Base) -> Iterator[tuple[str, str]]:
    """Yield what meets a row, once at most: a distribution's or a module's name, and where it is asked for."""
    if any(_where(name, manifest) for name in need.unless):
        return
    for name in need.imports:
        if name in uses:
            yield name, uses[name]
            return
    for name in need.names:
        where = _where(name, manifest)
        if where and not _has_wheel(need, name.partition("[")[0], manifest, base.python):
            yield name.partition("[")[0], where
            return


def _where(name: str, manifest: Manifest) -> str:
    """Return where a distribution, or with "name[extra]" its extra, is asked for; "" when it is not."""
    plain, _, extra = name.rstrip("]").partition("[")
    asked = manifest.asked.get(plain)
    if extra:
        return asked.where if asked and extra in asked.extras else ""
    if asked:
        return asked.where
    return manifest.decision.origin if plain in manifest.locked else ""


def _has_wheel(need: Need, name: str, manifest: Manifest, python: str) -> bool:
    """Say whether a wheel is what gets installed. The newest release of what has wheels counts as having one."""
    if not need.wheels:
        return False
    asked = manifest.asked.get(name)
    spec = f"=={manifest.locked[name]}" if manifest.locked.get(name) else asked.spec if asked else ""
    if not spec:
        return True
    first = need.wheels.get(python)
    if first is None:  # a Python without any wheel, or newer than the table
        return not spec.startswith("==")
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        if spec.startswith("==") and "*" not in spec and "," not in spec:
            return Version(spec.lstrip("=")) >= Version(first)
        allowed = SpecifierSet(spec)
    except (InvalidSpecifier, InvalidVersion):
        return True
    return allowed.contains(first) or allowed.contains("99999")


def _of_base(run: Iterable[str], base: Base) -> Iterator[str]:
    """Fill the Python in: Debian's own, where the base has it, keeps its library in a package of its own."""
    for package in run:
        if "{python}" not in package:
            yield package
        elif base.interpreter == DEBIANS_PYTHON:
            yield package.replace("{python}", base.python)


def _decisions(rows: Iterable[tuple[Need, str, str]], wanted: set[str], base: Base) -> Iterator[Decision]:
    for need, name, where in rows:
        build = [package for package in need.build if package in wanted]
        run = [package for package in _of_base(need.run, base) if package in wanted]
        parts = [f"{', '.join(build)} to build"] if build else []
        parts += [f"{', '.join(run)} to run"] if run else []
        if parts:
            yield Decision("system packages", f"{name}: {'; '.join(parts)}", f"{where} ({need.why})")


def _unique(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
