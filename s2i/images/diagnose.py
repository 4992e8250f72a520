"""From the last lines of a failed build to one clear error. The knowledge is in faults.toml."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from s2i.errors import E_BUILD, KINDS, S2IError
from s2i.sources import Tree

SHOWN_LINES = 12
MATCHED = 1000  # characters of a line that are looked at: a pattern costs time with their square
# How builders repeat the command that failed: long, and shown already as the step's name.
_SUMMARY = re.compile(
    r"executor failed running \[|process \".*did not complete successfully|The command '.*' returned a non-zero code"
    r"|(?:ERROR: )?failed to (?:build|solve)|building at STEP \".*\": while running runtime"
)
_MANIFESTS = (
    "requirements*.txt",
    "requirements/*.txt",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "uv.lock",
    "s2i.toml",
    "Aptfile",
    "apt.txt",
    "packages.txt",
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known cause: an error's code, the pattern that shows it, how to say it, and what to do about it.

    The pattern's group ``package`` names the requirement to look for in the manifests; ``line`` one of the Dockerfile.
    """

    kind: str
    pattern: str
    why: str
    advice: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fault: tuple[Fault, ...]


@functools.cache
def faults() -> tuple[Fault, ...]:
    """Return the known causes, in the order in which they are tried."""
    with Path(__file__).with_name("faults.toml").open("rb") as file:
        return msgspec.convert(tomllib.load(file), _Table).fault


def diagnose(step: str, lines: Sequence[str], find: Callable[[str], str] = lambda package: "") -> S2IError:
    """Return the error for a build that failed in ``step`` with these last lines.

    ``find`` returns the ``file:line`` that asks for a package, "" when none does.
    """
    text = "\n".join((step, *(line[:MATCHED] for line in lines)))
    said = tuple(line for line in lines if line.strip() and not _SUMMARY.match(line))
    shown = (said or tuple(lines))[-SHOWN_LINES:]
    for fault in faults():
        if found := re.search(fault.pattern, text):
            facts = {name: " ".join((value or "").split()) for name, value in found.groupdict().items()}
            why = fault.why.format_map(facts)
            where = find(facts["package"]) if "package" in facts else ""
            if "line" in facts:
                where = f"Dockerfile:{facts['line']}"
            return KINDS[fault.kind](where=where, advice=fault.advice, step=step, **facts, why=why, log=shown)
    return E_BUILD(step=step, why="the command failed", log=shown)


def requirement(tree: Tree, package: str) -> str:
    """Return the ``file:line`` of the manifest that names ``package``, "" when none does."""
    found = _NAME.match(package)
    if not found:
        return ""
    name = re.sub(r"[-_.]+", "[-_.]+", re.escape(found[0]).replace(r"\-", "-").replace(r"\.", "."))
    asks = re.compile(rf"(?<![\w.-]){name}(?![\w-]|\.\w)", re.IGNORECASE)
    for path in (path for pattern in _MANIFESTS for path in tree.glob(pattern)):
        try:
            lines = tree.text(path).splitlines()
        except S2IError:  # too big, not UTF-8: the build has said what is wrong, this is only where
            continue
        for number, line in enumerate(lines, 1):
            if asks.search(line.partition("#")[0]):
                return f"{path}:{number}"
    return ""
