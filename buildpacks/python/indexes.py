"""The package indexes that a source names: one takes PyPI's place, one more beside it is refused.

uv asks the added index first, pip takes the highest version of all: either way, whoever can put a name on one of two
indexes can bring code into a build that meant the other's (dependency confusion). What cannot be confused stays: a
lock or hashes say which files are meant, ``explicit = true`` binds packages to their index, and those of indexes.toml
hold only what their publisher puts there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from buildpacks.python import lock, requirements
from buildpacks.python.manifest import Manifest
from buildpacks.python.manifest.facts import read_pyproject
from s2i.errors import E_EXTRA_INDEX
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

PYPI = "https://pypi.org/simple"
LEFT_OUT = "left out"  # what a decision says of an index that the build is not told of
_LOCKS = ("uv", "poetry", "pdm", "pylock", "pipenv")
_OPTION = lazily(rb"(?m)^[ \t]*-(?:i|f|-index-url|-extra-index-url|-find-links)\b")
_PASSWORD = lazily(r"//[^/]*@")


class Named(msgspec.Struct, frozen=True):
    """An index that a source names: in PyPI's place, or beside the one that there is."""

    role: Literal["index", "extra index"]
    url: str
    where: str


class _Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    why: str
    link: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    index: tuple[_Known, ...]


def decide(tree: Tree, manifest: Manifest) -> tuple[Decision, ...]:
    """Return a decision for each index that counts beside PyPI. Raises E_EXTRA_INDEX (exit 3)."""
    named = tuple(_named(tree, manifest))
    lost = () if lock.holds(tree, manifest) else tuple(_left_out(tree, manifest))
    if not named:
        return lost
    main = next((each for each in named if each.role == "index"), Named("index", PYPI, ""))
    others = [each for each in named if each.role == "extra index" and each.url.rstrip("/") != main.url.rstrip("/")]
    if others and not lock.holds(tree, manifest):
        _refuse(main, others)
    counted = [main, *others] if main.where and not _is_pypi(main.url) else others
    return (*(Decision(each.role, _shown(each.url), each.where) for each in counted), *lost)


def _refuse(main: Named, others: list[Named]) -> None:
    known = [row.url for row in toml.load(Path(__file__).with_name("indexes.toml"), _Table).index]
    for each in others:
        # What PyPI holds could stand in for anything of another main index.
        is_known = any(each.url == url or each.url.startswith(f"{url}/") for url in known)
        if not is_known or (_is_pypi(each.url) and not _is_pypi(main.url)):
            why = f"{_shown(each.url)} is named beside {_shown(main.url)}"
            raise E_EXTRA_INDEX(why=why, where=each.where)


def _named(tree: Tree, manifest: Manifest) -> Iterator[Named]:
    if manifest.manager in _LOCKS and manifest.exact and not manifest.stale:
        return
    for path in manifest.files:
        if not path.endswith((".toml", ".lock", ".py", ".cfg")) and path in tree and _OPTION.search(tree.read(path)):
            yield from _of_requirements(tree, path)
    for option, url in zip(manifest.words, manifest.words[1:], strict=False):
        if option in ("--index", "--default-index"):
            where = toml.line_of(tree, manifest.decision.origin.partition(":")[0], "url")
            yield Named("extra index" if option == "--index" else "index", url, where)
    yield from _of_uv(tree)


def _of_requirements(tree: Tree, path: str) -> Iterator[Named]:
    for option, value, where in requirements.options(tree, path):
        if option in ("-i", "--index-url"):
            yield Named("index", value, where)
        elif option == "--extra-index-url" or (option in ("-f", "--find-links") and "://" in value):
            yield Named("extra index", value.strip("\"'"), where)


def _of_uv(tree: Tree) -> Iterator[Named]:
    """Yield what uv's own configuration in the source names; a uv.toml hides that of pyproject.toml."""
    path = "uv.toml" if "uv.toml" in tree else "pyproject.toml"
    if path not in tree or b"index" not in tree.read(path):
        return
    table: Any = toml.read(tree, path)
    if path == "pyproject.toml":
        tool = table.get("tool")
        table = tool.get("uv") if isinstance(tool, dict) else {}
    pip = table.get("pip", {}) if isinstance(table, dict) else {}
    for part in (table, pip):
        if isinstance(part, dict):
            yield from _of_table(tree, path, part)


def _of_table(tree: Tree, path: str, table: dict[str, Any]) -> Iterator[Named]:
    for each in table.get("index", []) if isinstance(table.get("index"), list) else ():
        url = each.get("url") if isinstance(each, dict) else None
        if isinstance(url, str) and each.get("explicit") is not True:
            role: Literal["index", "extra index"] = "index" if each.get("default") is True else "extra index"
            yield Named(role, url, toml.line_of(tree, path, "url"))
    if isinstance(url := table.get("index-url"), str):
        yield Named("index", url, toml.line_of(tree, path, "index-url"))
    extra = table.get("extra-index-url", [])
    for url in extra if isinstance(extra, list) else (extra,):
        if isinstance(url, str):
            yield Named("extra index", url, toml.line_of(tree, path, "extra-index-url"))


def _left_out(tree: Tree, manifest: Manifest) -> Iterator[Decision]:
    """Yield a decision for each index that is not given to uv: PyPI would be asked for its packages."""
    for notice in manifest.notices:
        if notice.code == "W_INDEX":
            yield Decision("index", LEFT_OUT, notice.where)
    if manifest.manager == "pyproject" and b"tool.pdm.source" in tree.read("pyproject.toml"):
        sources = read_pyproject(tree).tool("pdm").get("source")
        for source in sources if isinstance(sources, list) else ():
            url = source.get("url") if isinstance(source, dict) else None
            if isinstance(url, str) and not _is_pypi(url):
                yield Decision("index", LEFT_OUT, toml.line_of(tree, "pyproject.toml", "url"))


def _is_pypi(url: str) -> bool:
    return url.rstrip("/") == PYPI


def _shown(url: str) -> str:
    return _PASSWORD.sub("//…@", url)[:200]
