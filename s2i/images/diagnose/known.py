"""What is known of a name that stands in a log: whose it is at Debian, at PyPI, in which Pythons."""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Mapping

import msgspec

from s2i import assets
from s2i.images.diagnose.explanation import FOLDER, Look
from s2i.planning import toml

_WHEEL = re.compile(r"(?P<python>3\.\d+) (?P<oldest>[^\s,]+) (?P<newest>[^\s,]+)")

_LAST = re.compile(r'python = "(?P<python>3\.\d+)"')


class _Debian(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """debian.toml; its comments say what the keys of each part are."""

    headers: dict[str, str]
    linked: dict[str, str]
    modules: dict[str, str]
    programs: dict[str, str]
    libraries: dict[str, str]


class _Python(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """python.toml; its comments say what the keys of each part are."""

    gone: dict[str, str]
    renamed: dict[str, str]


class _Imports(msgspec.Struct, frozen=True):
    distribution: dict[str, str]
    namespace: dict[str, str]


class _Wheels(msgspec.Struct, frozen=True):
    wheels: dict[str, str]


def looks() -> dict[str, Look]:
    """Return what rows can look names up in, by what they call it. Tables are read when one is asked."""
    return {
        "headers": header,
        "linked": lambda name: _debian().linked.get(name, ""),
        "modules": lambda name: _debian().modules.get(name, ""),
        "programs": program,
        "libraries": library,
        "distributions": distribution,
        "gone": lambda name: _python().gone.get(name.partition(".")[0], ""),
        "left": left,
        "renamed": lambda name: _python().renamed.get(name.lower(), "") or _imports().distribution.get(name, ""),
        "wheels": wheels,
    }


def header(name: str) -> str:
    """Return the package that has a header: ``cups/http.h`` by its name, else by its folder."""
    known = _debian().headers
    return known.get(name) or known.get(name.partition("/")[0] + "/", "")


def program(path: str) -> str:
    """Return the package that has a program; a compiler may be called by its whole name, x86_64-linux-gnu-gcc."""
    name = posixpath.basename(path)
    known = _debian().programs
    return known.get(name) or known.get(re.sub(r"\A\w+-linux-gnu-|-\d+\Z", "", name), "")


def library(name: str) -> str:
    """Return the package that has a library: ``libGL.so.1``."""
    return _debian().libraries.get(name.partition(".so")[0], "")


def distribution(module: str) -> str:
    """Return the requirement that brings a module, where it is called otherwise; "" when nothing is known."""
    known = _imports()
    if module in known.namespace:
        return known.namespace[module]
    return known.distribution.get(module.partition(".")[0], "")


def wheels(requirement: str) -> str:
    """Return the Pythons that ``name==version`` has a wheel for, as "3.9 to 3.11"; "" when none is known."""
    from packaging.version import InvalidVersion, Version

    name, _, version = requirement.partition("==")
    row = _wheels().get(re.sub(r"[-_.]+", "-", name.lower()), "")
    try:
        wanted = Version(version)
        fitting = [
            found["python"]
            for found in _WHEEL.finditer(row)
            if Version(found["oldest"]) <= wanted <= Version(found["newest"])
        ]
    except InvalidVersion:
        return ""
    return " to ".join(dict.fromkeys((fitting[0], fitting[-1]))) if fitting else ""


def left(name: str) -> str:
    """Return the last Python that has a module of the standard library that is gone; "" for any other."""
    found = _LAST.search(_python().gone.get(name.partition(".")[0], ""))
    return found["python"] if found else ""


@functools.cache
def _debian() -> _Debian:
    return toml.load(FOLDER / "debian.toml", _Debian)


@functools.cache
def _python() -> _Python:
    return toml.load(FOLDER / "python.toml", _Python)


@functools.cache
def _imports() -> _Imports:
    return toml.load(assets.folder("buildpacks") / "python" / "manifest" / "imports.toml", _Imports)


@functools.cache
def _wheels() -> Mapping[str, str]:
    return toml.load(assets.folder("buildpacks") / "python" / "version" / "wheels.toml", _Wheels).wheels
