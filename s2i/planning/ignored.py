"""Paths that are not the application: tests, other people's packages, build output, documentation."""

from __future__ import annotations

_FOLDERS = frozenset(
    {
        "tests", "test", "testing", "__tests__", "site-packages", "node_modules", "venv", ".venv", "env", ".tox",
        ".nox", "__pycache__", "migrations", "build", "dist", ".git", "__pypackages__",
    }
)  # fmt: skip
_ASIDE = frozenset(
    {"docs", "doc", "examples", "example", "samples", "sample", "demos", "demo", "scripts", "tools", "benchmarks"}
)


def is_ignored(path: str) -> bool:
    """Say whether a Python file is a test or no part of the source at all."""
    *folders, name = path.split("/")
    if any(f in _FOLDERS or f.startswith(".") for f in folders):
        return True
    return name.startswith("test_") or name.endswith("_test.py") or name in {"conftest.py", "tests.py"}


def is_aside(path: str) -> bool:
    """Say whether a file stands in documentation, examples or scripts: it counts only when nothing else does."""
    return any(folder in _ASIDE for folder in path.split("/")[:-1])
