"""The Debian packages that a source itself lists: in s2i.toml, Aptfile, apt.txt, packages.txt; a Dockerfile's hint."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from buildpacks.python.manifest import Manifest
from s2i.errors import E_CONFIG, S2IError
from s2i.patterns import lazily
from s2i.planning import dockerfile
from s2i.planning.plan import Decision
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

# What each file is known from. A packages.txt can be anything: only Streamlit gives it this meaning.
FILES = {"Aptfile": "", "apt.txt": "", "packages.txt": "streamlit"}
MOST = 100
SHOWN = 8
_NAME = lazily(r"[a-z0-9][a-z0-9+.-]{1,99}", re.ASCII)
_PARTS = lazily(r"[|;&]+")
_APT = frozenset({"apt", "apt-get"})


class Asked(msgspec.Struct, frozen=True):
    """Names of packages for the build stage and for the image, the decisions, and what was left out."""

    build: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notices: tuple[Notice, ...] = ()


def read(tree: Tree, manifest: Manifest, given: Given, tools: frozenset[str], renamed: Mapping[str, str]) -> Asked:
    """Return the packages that the source lists. ``tools`` are of use in the build alone. Raises E_CONFIG."""
    build, run = list(given.settings.build_packages), list(given.settings.run_packages)
    decisions: list[Decision] = []
    notices: list[Notice] = []
    for key, names in (("build-packages", build), ("run-packages", run)):
        where = given.where(tree, key) if names else ""
        for name in names:
            if not _NAME.fullmatch(name):
                raise E_CONFIG(why=f'{key} holds "{name}", which no Debian package is called', where=where)
        if names:
            stage = key.partition("-")[0]
            decisions.append(Decision("system packages", f"{', '.join(names)} to {stage}", f"{where} ({key})"))
    for path, needs in FILES.items():
        if path not in tree or (needs and needs not in manifest.names):
            continue
        names, left_out = _listed(tree, path)
        notices += left_out
        # Headers are there to compile with, and bring the library that is loaded later.
        build += [name for name in names if name in tools or name.endswith("-dev")]
        run += [name for name in names if name not in tools]
        if names:
            decisions.append(Decision("system packages", ", ".join(names), f"{path}:1"))
    build, run = ([renamed.get(name, name) for name in names] for names in (build, run))
    return Asked(tuple(build), tuple(run), tuple(decisions), tuple(notices))


def hint(tree: Tree, chosen: set[str], aside: frozenset[str]) -> tuple[Notice, ...]:
    """Name what a Dockerfile beside the code installs and this image does not have: the application may need it."""
    if "Dockerfile" not in tree:
        return ()
    try:
        steps = list(dockerfile.instructions(tree.text("Dockerfile")))
    except S2IError:  # nobody asked for it to be built
        return ()
    known = {name.strip() for words in chosen for name in words.split("|")}
    for step in steps:
        names = [name for name in _installed(step.rest) if name not in known | aside] if step.word == "RUN" else []
        if names:
            shown, more = names[:SHOWN], len(names) - SHOWN
            text = f"the Dockerfile installs {', '.join(shown)}{f' and {more} more' if more > 0 else ''}; " + (
                f'what the application needs of it goes into s2i.toml: run-packages = ["{names[0]}"]'
            )
            return (Notice("W_SYSTEM", text, f"Dockerfile:{step.line}"),)
    return ()


def _listed(tree: Tree, path: str) -> tuple[list[str], list[Notice]]:
    names: list[str] = []
    notices: list[Notice] = []
    for number, line in enumerate(tree.text(path, 1 << 16).splitlines(), 1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        if _NAME.fullmatch(word) and len(names) < MOST:
            names.append(word)
        elif len(notices) < SHOWN:
            why = f"more than {MOST} packages" if _NAME.fullmatch(word) else f'no name of a Debian package: "{word}"'
            notices.append(Notice("W_SYSTEM", f"left out, {why}", f"{path}:{number}"))
    return names, notices


def _installed(command: str) -> Iterator[str]:
    """Yield the packages that a RUN installs and that may be of use in a running container."""
    for part in _PARTS.split(command):
        words = part.split()
        at = words.index("install") if "install" in words else len(words)
        if not _APT.intersection(words[:at]):
            continue
        for word in words[at + 1 :]:
            name = word.partition("=")[0]
            if _NAME.fullmatch(name) and not name.endswith("-dev") and not name.startswith("python3"):
                yield name
