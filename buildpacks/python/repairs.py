"""Requirements that are added because a pinned one is known to need them. What the source pins is never overruled."""

from __future__ import annotations

import math
import re
from pathlib import Path

import msgspec

from buildpacks.python.manifest import Manifest
from buildpacks.python.requirements import Requirement
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.plan import Decision, Run, Step
from s2i.sources import Notice

PATH = Path(__file__).with_name("repairs.toml")
_WHEN = lazily(r"([a-z0-9-]+)([<>=!~].*)")
_CLAUSE = lazily(r"(===?|~=|!=|<=|>=|<|>)([^,]+)")
_NUMBERS = lazily(r"(\d{1,9}(?:\.\d{1,9}){0,5})(\.\*)?", re.ASCII)
_Point = tuple[tuple[float, ...], int]  # a release, and whether the point is right below (-1) or above it (1)
SETUPTOOLS = "setuptools<81"  # the last that have pkg_resources
_DATED = "its pins are of a time when each environment had setuptools, and may import pkg_resources"
_BEYOND = "99999"  # a release that is newer than any
# The CPU's build of torch stands in an index of its own; where that cannot be reached, PyPI's does the same, larger.
_CPU = (
    'UV_TORCH_BACKEND=cpu "$@" || { echo "the CPU build of torch could not be had from its index: PyPI is asked" >&2; '
    'exec "$@"; }'
)


class Repair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of repairs.toml; its head says what the fields mean."""

    when: str
    add: tuple[str, ...]
    why: str
    link: str
    case: str


class Repairs(msgspec.Struct, frozen=True):
    """What is installed beside what is asked for; ``cpu_torch``: torch is installed without its CUDA libraries."""

    extra: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notices: tuple[Notice, ...] = ()
    cpu_torch: bool = False


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    repair: tuple[Repair, ...] = ()


def table() -> tuple[Repair, ...]:
    """Return the rows of repairs.toml."""
    return toml.load(PATH, _Table).repair


def choose(manifest: Manifest, *, is_dated: bool = False) -> Repairs:
    """Return what has to be added to ``manifest`` for what it pins, and a warning where its own pin forbids that.

    ``is_dated``: what it pins is of a time when setuptools were always there.
    """
    extra: dict[str, None] = {}
    decisions: list[Decision] = []
    notices: list[Notice] = []
    for row in toml.select(PATH, _Table, (f'when = "{name}' for name in manifest.asked)).repair:
        name, spec = _parts(row.when)
        asked = manifest.asked.get(name)
        if asked is None or not _surely(asked.spec, manifest.locked.get(name, ""), spec):
            continue
        pin = f"{name}{asked.spec}" if asked.spec else f"{name}=={manifest.locked[name]}"
        verdicts = {partner: _verdict(manifest, *_parts(partner)) for partner in row.add}
        added = [partner for partner, verdict in verdicts.items() if verdict == "add"]
        if added:
            extra.update(dict.fromkeys(added))
            decisions.append(Decision("repair", ", ".join(added), f"{asked.where} ({pin}: {row.why})"))
        for partner, verdict in verdicts.items():
            if verdict.startswith("against"):
                text_of = f"{pin} needs {partner}, and the source asks for {verdict.partition(' ')[2]}: {row.why}"
                notices.append(Notice("W_REPAIR", text_of, asked.where))
    if is_dated and SETUPTOOLS not in extra and _verdict(manifest, *_parts(SETUPTOOLS)) == "add":
        extra[SETUPTOOLS] = None
        decisions.append(Decision("repair", SETUPTOOLS, f"{manifest.decision.origin} ({_DATED})", "likely"))
    torch = _torch(manifest)
    if torch:
        decisions.append(Decision("torch", "the CPU build", f"{torch.where} (a container here has no GPU)", "likely"))
    return Repairs(tuple(extra), tuple(decisions), tuple(notices), torch is not None)


def with_cpu_torch(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return ``steps`` with torch's CPU build in each installation that resolves by itself."""
    return tuple(_cpu(step) if isinstance(step, Run) else step for step in steps)


def _cpu(step: Run) -> Run:
    resolves = (("uv", "pip", "install"), ("uv", "pip", "compile"))
    first, *then = (("sh", "-c", _CPU, "sh", *c) if c[:3] in resolves else c for c in step.commands)
    return msgspec.structs.replace(step, argv=first, then=tuple(then))


def _torch(manifest: Manifest) -> Requirement | None:
    """Return the requirement of torch when nothing says which build of it: no lock, no hash, no "+cu126"."""
    asked = manifest.asked.get("torch")
    if asked is None or manifest.locked or manifest.exact or "+" in asked.spec:
        return None
    return asked


def _verdict(manifest: Manifest, name: str, spec: str) -> str:
    """Say "add", "" (the source has decided, and well) or "against X" (what it asks for cannot work)."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    wanted, locked, asked = SpecifierSet(spec), manifest.locked.get(name, ""), manifest.asked.get(name)
    if locked:
        return "" if wanted.contains(locked, prereleases=True) else f"against {name}=={locked}"
    if asked is None or not asked.spec:
        return "add"
    try:
        allowed = SpecifierSet(asked.spec)
    except InvalidSpecifier:
        return ""
    lowest = [
        version.removesuffix(".*") for sign, version in _CLAUSE.findall(asked.spec) if sign not in ("<", "<=", "!=")
    ]
    if any(not wanted.contains(version, prereleases=True) for version in lowest):
        return f"against {name}{asked.spec}"
    return "add" if allowed.contains(_BEYOND) else ""


def _surely(spec: str, locked: str, when: str) -> bool:
    """Say whether whatever gets installed is one of the releases ``when``: the newest that is allowed is."""
    newest, rows = _range(f"=={locked}" if locked else spec), _range(when)
    if newest is None or rows is None:
        return False
    (_, top), (bottom, end) = newest, rows
    return top <= end and top > bottom


def _range(spec: str) -> tuple[_Point, _Point] | None:
    """Return the point below all releases that a specifier allows, and the one above; None when it cannot be told.

    (packaging is not asked: to import it takes as long as the rest of a plan.)
    """
    bottom: _Point = ((), 0)
    top: _Point = ((math.inf,), 0)
    for sign, text in _CLAUSE.findall(spec):
        found = _NUMBERS.fullmatch(text)
        if not found or (sign == "~=" and "." not in text):
            return None
        numbers = tuple(int(part) for part in found[1].split("."))
        while numbers and not numbers[-1]:
            numbers = numbers[:-1]
        family = tuple(int(part) for part in found[1].split("."))
        match sign:
            case "==" | "===" if not found[2]:
                bottom, top = max(bottom, (numbers, -1)), min(top, (numbers, 1))
            case "==" | "~=":
                family = family if found[2] else family[:-1]
                bottom, top = max(bottom, (numbers, -1)), min(top, ((*family[:-1], family[-1] + 1), -1))
            case ">=":
                bottom = max(bottom, (numbers, -1))
            case ">":
                bottom = max(bottom, (numbers, 1))
            case "<":
                top = min(top, (numbers, -1))
            case "<=":
                top = min(top, (numbers, 1))
    return bottom, top


def _parts(requirement: str) -> tuple[str, str]:
    found = _WHEN.fullmatch(requirement)
    if not found:
        raise AssertionError(f"a row of repairs.toml that is no requirement: {requirement}")
    return found[1], found[2]
