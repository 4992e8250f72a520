"""What a person has set: ``s2i.toml``, or ``[tool.s2i]`` in pyproject.toml."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from s2i.errors import E_CONFIG
from s2i.planning import toml
from s2i.sources import Tree

_ENTRY = re.compile(
    r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\(\))?|[A-Za-z0-9_][A-Za-z0-9._/-]*\.(py|ipynb)", re.ASCII
)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Overrides of what would be inferred, by the name of the decision; empty where nothing was said.

    ``start`` is a whole command, for an entry that no rule can find; ``build_packages`` and ``run_packages`` are
    Debian packages beside those that the requirements are known to need.
    """

    entry: str = ""
    kind: Literal["", "wsgi", "asgi", "http", "job"] = ""
    python: str = ""
    manager: str = ""
    server: Literal["", "gunicorn", "hypercorn", "uvicorn"] = ""
    start: tuple[str, ...] = ()
    port: int = 0
    subdir: str = ""
    build_packages: tuple[str, ...] = ()
    run_packages: tuple[str, ...] = ()
    collectstatic: bool | None = None


class Given(msgspec.Struct, frozen=True):
    """Settings and the file they stand in ("" when there is none)."""

    settings: Settings = Settings()
    path: str = ""

    def where(self, tree: Tree, key: str) -> str:
        """Return ``file:line`` of a key."""
        return toml.line_of(tree, self.path, key)


def read(tree: Tree) -> Given:
    """Return the settings of a source. Raises E_CONFIG, and what reading TOML raises (exit 3)."""
    for name in ("s2i.yaml", "s2i.yml", "s2i.json"):
        if name in tree:
            raise E_CONFIG(why="only TOML is read, where a value is what it looks like: name it s2i.toml", where=name)
    if "s2i.toml" in tree:
        return Given(_checked(tree, toml.read(tree, "s2i.toml"), "s2i.toml"), "s2i.toml")
    if "pyproject.toml" in tree and b"tool.s2i" in tree.read("pyproject.toml"):
        tool = toml.read(tree, "pyproject.toml").get("tool")
        if isinstance(tool, dict) and "s2i" in tool:
            return Given(_checked(tree, tool["s2i"], "pyproject.toml"), "pyproject.toml")
    return Given()


def _checked(tree: Tree, table: object, path: str) -> Settings:
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise E_CONFIG(why=str(error), where=path) from None
    if settings.entry and (not _ENTRY.fullmatch(settings.entry) or ".." in settings.entry):
        raise E_CONFIG(why=f'entry cannot be "{settings.entry}"', where=toml.line_of(tree, path, "entry"))
    return settings
