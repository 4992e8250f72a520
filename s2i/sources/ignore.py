"""What of a folder is left out: by name always, and by the rules that people write.

Which file holds: a `.s2iignore` in the folder that is built (the rules of .gitignore) is used alone. Without one,
its `.dockerignore` (the rules of Docker) and each `.gitignore` from the root of the source down (the rules of Git)
are used together: what one of them leaves out is out. A .gitignore says nothing about a clone: what is in Git is in.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from s2i.errors import E_IGNORE

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

S2I, DOCKER, GIT = ".s2iignore", ".dockerignore", ".gitignore"
# In one source: the bytes of its ignore files, the rules in them, and how often a path is held against a rule.
# Some 0.3 µs each; 20,000 files under 400 rules are 8 million.
RULES_LIMIT = 1 << 18
RULES_COUNT = 10_000
RULES_CHECKS = 40_000_000

FOLDERS = frozenset(
    (
        ".bzr",
        ".eggs",
        ".git",
        ".hg",
        ".hypothesis",
        ".ipynb_checkpoints",
        ".mypy_cache",
        ".nox",
        ".pytest_cache",
        ".ruff_cache",
        ".svn",
        ".tox",
        ".venv",
        "__pycache__",
        "node_modules",
    )
)
FILES = frozenset((".DS_Store", ".git"))  # a .git file is that of a worktree or submodule
COMPILED = (".pyc", ".pyo")
VENV_MARK = "pyvenv.cfg"


class Rules:
    """The rules that hold in one listing, collected while it goes down. ``used`` names the files they came from."""

    def __init__(self, base: str, *, git: bool) -> None:
        self._start = f"{base}/" if base else ""
        self._git = git
        self._own: GitIgnoreSpec | None = None
        self._docker: GitIgnoreSpec | None = None
        self._docker_has_exceptions = False
        self._nested: dict[str, GitIgnoreSpec] = {}
        self._named: frozenset[str] = frozenset()
        self._bytes = self._count = self._checks = 0
        self.used: list[str] = []

    def wanted(self, names: set[str], at: str) -> tuple[str, ...]:
        """Return which of ``names``, the files in the folder ``at`` ("" or ending in a slash), hold rules to read."""
        if at == self._start and S2I in names:
            self._git, self._nested = False, {}
            return (S2I,)
        found = (DOCKER,) if at == self._start and DOCKER in names else ()
        return (*found, GIT) if self._git and GIT in names else found

    def add(self, name: str, at: str, data: bytes) -> None:
        """Take in the rules of the file ``name`` in the folder ``at``. Raises E_IGNORE when there are too many."""
        self._bytes += len(data)
        if self._bytes > RULES_LIMIT:
            raise E_IGNORE(where=at + name, what=f"more than {RULES_LIMIT:,} bytes of rules")
        lines = data.decode("utf-8-sig", "surrogateescape").splitlines()
        lines = [line for line in lines if line.strip() and not line.startswith("#")]
        self._count += len(lines)
        if self._count > RULES_COUNT:
            raise E_IGNORE(where=at + name, what=f"more than {RULES_COUNT:,} rules")
        self.used.append(at + name)
        if name == S2I:
            self._own = _compile(lines)
            self._named = frozenset(line[1:].strip().lstrip("/") for line in lines if line.startswith("!"))
        elif name == DOCKER:
            rules = [rule for line in lines if (rule := _from_docker(line))]
            self._docker = _compile(rules)
            self._docker_has_exceptions = any(rule.startswith("!") for rule in rules)
        else:
            self._nested[at] = _compile(lines)

    def named(self, path: str) -> bool:
        """Say whether .s2iignore names the file ``path``, or its last part, with a `!`: it has no pattern."""
        inner = path.removeprefix(self._start)
        return inner in self._named or inner.rpartition("/")[2] in self._named

    def skip(self, path: str) -> bool:
        """Say whether the file or folder (it ends in a slash) ``path`` is left out by what people wrote."""
        if self._own:
            return self._check(self._own, path.removeprefix(self._start)) is True
        # An exception may bring back something in a folder that is left out: Docker looks, Git does not.
        look = path.endswith("/") and self._docker_has_exceptions
        if self._docker and not look and self._check(self._docker, path.removeprefix(self._start)) is True:
            return True
        for at in _above(path) if self._nested else ():
            if (spec := self._nested.get(at)) and (verdict := self._check(spec, path[len(at) :])) is not None:
                return verdict
        return False

    def _check(self, spec: GitIgnoreSpec, path: str) -> bool | None:
        self._checks += len(spec.patterns)
        if self._checks > RULES_CHECKS:
            raise E_IGNORE(where=self.used[-1], what="too many rules for this many files")
        return spec.check_file(path).include


def _above(path: str) -> Iterator[str]:
    """Yield the folders that ``path`` is in, the nearest first and the root, "", last."""
    end = len(path.rstrip("/"))
    while end > 0:
        end = path.rfind("/", 0, end)
        yield path[: end + 1]


def _compile(lines: list[str]) -> GitIgnoreSpec:
    # Costs some 10 ms, and most folders of a lesson have no such file.
    from s2i.sources import globs

    return globs.compile(lines)


def _from_docker(line: str) -> str:
    """Return a rule of .dockerignore as one of .gitignore: from the root, whether it has a slash or not."""
    if line.startswith("#") or not (rule := line.strip()):
        return ""
    mark = "!" if rule.startswith("!") else ""
    path = posixpath.normpath(rule.removeprefix("!").strip()).lstrip("/")
    return "" if path in ("", ".") else f"{mark}/{path}"
