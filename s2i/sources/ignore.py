"""What of a folder is left out: by name always, and by the rules that people write.

Which file holds: a `.s2iignore` in the folder that is built (the rules of .gitignore) is used alone. Without one,
its `.dockerignore` (the rules of Docker) and each `.gitignore` from the root of the source down (the rules of Git)
are used together: what one of them leaves out is out. A .gitignore says nothing about a clone: what is in Git is in.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

S2I, DOCKER, GIT = ".s2iignore", ".dockerignore", ".gitignore"
RULES_LIMIT = 1 << 20

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
        self.used: list[str] = []

    def wanted(self, names: set[str], at: str) -> tuple[str, ...]:
        """Return which of ``names``, the files in the folder ``at`` ("" or ending in a slash), hold rules to read."""
        if at == self._start and S2I in names:
            self._git, self._nested = False, {}
            return (S2I,)
        found = (DOCKER,) if at == self._start and DOCKER in names else ()
        return (*found, GIT) if self._git and GIT in names else found

    def add(self, name: str, at: str, data: bytes) -> None:
        """Take in the rules of the file ``name`` in the folder ``at``."""
        lines = data.decode("utf-8-sig", "surrogateescape").splitlines()
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
            return self._own.check_file(path.removeprefix(self._start)).include is True
        # An exception may bring back something in a folder that is left out: Docker looks, Git does not.
        look = path.endswith("/") and self._docker_has_exceptions
        if self._docker and not look and self._docker.check_file(path.removeprefix(self._start)).include is True:
            return True
        for at in reversed(self._nested):
            if path.startswith(at) and (verdict := self._nested[at].check_file(path[len(at) :]).include) is not None:
                return verdict
        return False


def _compile(lines: list[str]) -> GitIgnoreSpec:
    # Costs some 10 ms, and most folders of a lesson have no such file.
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:  # Git ignores a line that is no pattern, without a word
        return GitIgnoreSpec.from_lines(line for line in lines if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _from_docker(line: str) -> str:
    """Return a rule of .dockerignore as one of .gitignore: from the root, whether it has a slash or not."""
    if line.startswith("#") or not (rule := line.strip()):
        return ""
    mark = "!" if rule.startswith("!") else ""
    path = posixpath.normpath(rule.removeprefix("!").strip()).lstrip("/")
    return "" if path in ("", ".") else f"{mark}/{path}"
