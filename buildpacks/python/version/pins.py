"""What the dependencies can be installed on: each pin of a distribution that is known here limits the Pythons.

``wheels.toml`` has the facts of the package index (a script writes it), ``pins.toml`` what was seen to break, and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

from buildpacks.python.requirements import Requirement
from buildpacks.python.version.wish import Release, release
from s2i.patterns import lazily
from s2i.planning import toml

PINS = Path(__file__).with_name("pins.toml")
_CLAUSE = lazily(r"(===|==|~=|<=|>=|<|>|!=)([^,]+)")

ANY = 99  # no Python is too new
INDEX = "https://pypi.org/project/{}/#files"


class Limit(msgspec.Struct, frozen=True):
    """The Pythons 3.``oldest`` to 3.``newest`` on which ``pin`` works. ``sure``: seen to fail on others, not inferred.

    ``needed`` are the minors on which the requirement's marker holds; None: on all.
    """

    pin: str
    where: str
    oldest: int
    newest: int
    why: str
    link: str = ""
    sure: bool = False
    needed: frozenset[int] | None = None

    def distance(self, minor: int) -> int:
        """Return how many minors 3.``minor`` is away from one that works: 0 when it is one."""
        if self.needed is not None and minor not in self.needed:
            return 0
        return max(self.oldest - minor, minor - self.newest, 0)

    @property
    def said(self) -> str:
        """What the limit is and where it comes from, for people."""
        return f"{self.pin} ({self.where}) {self.why}"


class Python(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A minor version that exists, and the month its makers ended it ("" when that had not come)."""

    minor: str
    eol: str = ""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Releases of ``name`` from ``since`` on and before ``before`` work up to Python ``newest``.

    ``case`` are requirements that the rule is about; ``sure``: seen to fail.
    """

    name: str
    newest: str
    why: str
    link: str
    case: tuple[str, ...]
    before: str = ""
    since: str = "0"
    sure: bool = True


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """pins.toml."""

    rule: tuple[Rule, ...] = ()
    backports: tuple[
        str, ...
    ] = ()  # wanted by old Pythons alone: a lock that has them for those says nothing of the rest


class _Pythons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    python: tuple[Python, ...]


class _Wheels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wheels: dict[str, str]  # in literal strings, which tomllib reads ten times faster than arrays


class _Range(msgspec.Struct, frozen=True):
    """The releases that a specifier leaves: ``floor`` to ``ceiling``, which may be excluded itself."""

    floor: Release = (0,)
    ceiling: Release | None = None
    open: bool = False

    def below(self, bound: Release) -> bool:
        """Say whether every release is older than ``bound``."""
        return self.ceiling is not None and (self.ceiling < bound or (self.open and self.ceiling == bound))


@cache
def pythons() -> tuple[Python, ...]:
    """Return the Pythons that exist, oldest first."""
    return toml.load(Path(__file__).with_name("pythons.toml"), _Pythons).python


def known() -> Known:
    """Return all rules."""
    return toml.load(PINS, Known)


def wheels() -> dict[str, str]:
    """Return what wheels.toml says of each distribution."""
    return toml.load(Path(__file__).with_name("wheels.toml"), _Wheels).wheels


def limits(asked: Mapping[str, Requirement], locked: Mapping[str, str], lock: str) -> tuple[Limit, ...]:
    """Return the limits that requirements and locked versions set; ``lock`` is where the latter are written."""
    table = toml.select(PINS, Known, (f'name = "{name}"' for name in (*asked, *locked)))
    ranges = {name: _range(r.spec) for name, r in asked.items()}
    direct = {name: (f"{name}{r.spec}", r.where, _needed(r.marker)) for name, r in asked.items()}
    for name, version in locked.items():
        if version and (name in asked or name not in table.backports):
            ranges[name] = _range(f"=={version}")
            direct[name] = (f"{name}=={version}", lock, direct[name][2] if name in direct else None)
    found = [*_by_rule(table, ranges), *_by_wheels(ranges)]
    made = (msgspec.structs.replace(limit, pin=pin, where=where, needed=needed)
            for limit in found for pin, where, needed in [direct[limit.pin]])  # fmt: skip
    return tuple(made)


def _by_rule(table: Known, ranges: Mapping[str, _Range]) -> Iterator[Limit]:
    for rule in table.rule:
        releases = ranges.get(rule.name)
        if releases is None or (rule.before and not releases.below(release(rule.before))):
            continue
        if releases.below(release(rule.since)):
            continue
        yield Limit(rule.name, "", 0, _minor(rule.newest), rule.why, rule.link, rule.sure)


def _by_wheels(ranges: Mapping[str, _Range]) -> Iterator[Limit]:
    table = wheels() if ranges else {}
    rows = {name: [row.split() for row in text.split(", ")] for name, text in table.items() if name in ranges}
    last = max((_minor(row.split()[0]) for text in table.values() for row in text.split(", ")[-1:]), default=0)
    for name, cells in rows.items():
        releases = ranges[name]
        minors = [_minor(python) for python, oldest, latest in cells
                  if not releases.below(release(oldest)) and releases.floor <= release(latest)]  # fmt: skip
        if not minors:  # older than any wheel, or newer than the table: nothing is known
            continue
        older, newer = minors[0] > _minor(cells[0][0]), minors[-1] < last
        if older or newer:
            why = f"has no wheel for a Python after 3.{minors[-1]}" if newer else f"needs Python 3.{minors[0]}"
            yield Limit(name, "", minors[0] if older else 0, minors[-1] if newer else ANY, why, INDEX.format(name))


def _range(spec: str) -> _Range:
    """Return the releases that a specifier leaves, read without a library: plans are made in milliseconds."""
    floor: Release = (0,)
    ceiling: Release | None = None
    is_open = opened = False
    for sign, text in _CLAUSE.findall(spec.replace(" ", "")):
        version = release(text)
        high: Release | None = None
        if sign in ("==", "===", "~=", ">=", ">"):
            floor = max(floor, version)
        if sign in ("==", "===") and not text.endswith(".*"):
            high, opened = version, False
        elif sign in ("==", "===", "~="):
            shown = text.removesuffix(".*").split(".")
            parts = shown if text.endswith(".*") else shown[:-1]
            high, opened = _next(release(".".join(parts) or "0"), len(parts)), True
        elif sign in ("<", "<="):
            high, opened = version, sign == "<"
        if high is not None and (ceiling is None or high < ceiling):
            ceiling, is_open = high, opened
    return _Range(floor, ceiling, is_open)


def _next(version: Release, length: int) -> Release:
    """Return what follows all releases of a series: (1, 11) is followed by (1, 12)."""
    padded = [*version, *[0] * length][: max(length, 1)]
    return (*padded[:-1], padded[-1] + 1)


def _needed(marker: str) -> frozenset[int] | None:
    """Return the minors for which an environment marker holds on Linux; None: it does not depend on the Python."""
    if "python" not in marker and "platform" not in marker:
        return None
    from packaging.markers import InvalidMarker, Marker, UndefinedEnvironmentName

    linux = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}
    minors = [_minor(p.minor) for p in pythons()]
    try:
        read = Marker(marker)
        given = {m: {"python_version": f"3.{m}", "python_full_version": f"3.{m}.9"} for m in minors}
        holds = [m for m in minors if read.evaluate({**linux, **given[m]})]
    except (InvalidMarker, UndefinedEnvironmentName):
        return None
    return frozenset(holds)


def _minor(python: str) -> int:
    return int(python.partition(".")[2])
