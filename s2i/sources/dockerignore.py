"""The rules by which a source was read, said as a .dockerignore: for `docker build` without s2i.

Git's rules, and rules about what a file holds, cannot all be said in Docker's words. So the rules are followed by
corrections, which name paths: with them, Docker takes today's files as s2i does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import msgspec

from s2i.sources import beneath, ignore, secrets
from s2i.sources.dockermatch import Matcher
from s2i.sources.tree import Tree

HEAD = "# Made by s2i: what `s2i build` leaves out, for `docker build`. The last rule that fits a path holds."
_BUILT_IN = "Histories, caches, environments, folders of keys: never shipped, whatever stands above."
_SECRETS = "What looks like somebody's secrets."
_NAMED = "Taken in again: .s2iignore names them."
_OUT = "Left out for what they are, which no pattern can say: private keys, links that lead out, environments."
_IN = "Part of the source today, although a pattern above fits them."


class _Rules(msgspec.Struct, frozen=True):
    """One file of rules: its path from the root of the source, the folder it holds for, its lines."""

    path: str
    at: str
    lines: tuple[str, ...]


def text(tree: Tree) -> str:
    """Return a .dockerignore for the folder of ``tree``. Reads names beneath that folder, and its ignore files."""
    sections = [*_written(tree), (_SECRETS, _secrets()), (_NAMED, _named(tree)), (_BUILT_IN, _built_in())]
    rules = [line for _, lines in sections for line in lines]
    out, into = _corrections(tree, Matcher(rules))
    sections += [(_OUT, out), (_IN, into)]
    parts = [HEAD, *("\n".join((f"# {title}", *lines)) for title, lines in sections if lines)]
    return "\n\n".join(parts) + "\n"


def _written(tree: Tree) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what people wrote: a title and the rules for each ignore file that holds."""
    base = tree.root.relative_to(tree.anchor).as_posix()
    base = "" if base == "." else f"{base}/"
    for found in _files(tree, base):
        if found.path.rpartition("/")[2] == ignore.DOCKER:
            lines = found.lines
        else:
            lines = tuple(rule for line in found.lines for rule in from_git(line, found.at, base))
        yield f"From {found.path}.", lines


def _files(tree: Tree, base: str) -> Iterator[_Rules]:
    own = _read(tree, base + ignore.S2I)
    if own:
        yield own
        return
    docker = _read(tree, base + ignore.DOCKER)
    if docker and HEAD not in docker.lines:
        yield docker
    above = base.split("/")[:-1]
    folders = ["/".join(above[:count]) for count in range(len(above))]
    paths = [f"{folder}/{ignore.GIT}".lstrip("/") for folder in folders]
    paths += [base + path for path in tree.glob(f"**/{ignore.GIT}")]
    for path in sorted(paths, key=lambda path: (path.count("/"), path)):
        if found := _read(tree, path):
            yield found


def _read(tree: Tree, path: str) -> _Rules | None:
    above, _, name = path.rpartition("/")
    try:
        folder = beneath.descend(tree.anchor, above)
    except OSError:
        return None
    try:
        data = beneath.head(folder, name, ignore.RULES_LIMIT)
    finally:
        os.close(folder)
    lines = tuple(data.decode("utf-8-sig", "replace").splitlines())
    kept = tuple(line.rstrip() for line in lines if line.strip() and (line == HEAD or not line.startswith("#")))
    return _Rules(path, f"{above}/" if above else "", kept) if kept else None


def from_git(line: str, at: str, base: str) -> Iterator[str]:
    """Yield the rule of .gitignore ``line`` in the folder ``at`` as one of a .dockerignore in the folder ``base``.

    Both folders are "" or end in a slash. Yields nothing for what lies elsewhere.
    """
    mark, rule = ("!", line[1:]) if line.startswith("!") else ("", line)
    rule = re.sub(r"\[!", "[^", rule.rstrip())
    rule = rule[1:] if rule.startswith(("\\!", "\\#")) else rule  # a slash or ** stands in front, here
    path = rule.rstrip("/")
    inside = at.removeprefix(base) if at.startswith(base) else ""
    if not path.strip("/*"):
        # "!*/" lets Git look into folders; Docker does so by itself, and would take in all that is in them.
        if path and at.startswith(base) and not (mark and rule.endswith("/")):
            yield f"{mark}{inside}*"
        return
    if "/" not in path:
        yield f"{mark}{inside}**/{path}"
        return
    whole = at + path.lstrip("/")
    if whole.startswith(base):
        yield mark + (f"/{whole[len(base) :]}")
    elif path.startswith("**/"):
        yield mark + path


def _built_in() -> tuple[str, ...]:
    """Return what nothing takes in again: it stands behind every exception."""
    names = {*ignore.FOLDERS, *ignore.FILES, *(f"*{end}" for end in ignore.COMPILED)}
    return tuple(f"**/{name}" for name in sorted((*names, *secrets.FOLDERS, secrets.GCLOUD.strip("/"))))


def _secrets() -> tuple[str, ...]:
    """Return the files of secrets.py by their names; what it tells by content, and examples, are for the corrections.

    Exceptions for examples would hold in every folder, also in those that somebody leaves out.
    """
    starts = (f"{start}*" for start in secrets.STARTS)
    names = (*secrets.NAMES, *starts, *(f"*{end}" for end in secrets.ENDS), "*.env", ".env.*")
    return tuple(f"**/{name}" for name in sorted(names))


def _named(tree: Tree) -> tuple[str, ...]:
    base = tree.root.relative_to(tree.anchor).as_posix()
    own = _read(tree, ignore.S2I if base == "." else f"{base}/{ignore.S2I}")
    names = [line[1:].strip() for line in own.lines if line.startswith("!")] if own else []
    return tuple(f"!/{name.lstrip('/')}" if "/" in name else f"!**/{name}" for name in names)


def _corrections(tree: Tree, rules: Matcher) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the rules that leave out what ``rules`` would take in, and those that take in what they leave out."""
    wanted = set(tree.paths())
    closed = ignore.FOLDERS | secrets.FOLDERS
    out: list[str] = []
    for at, names, files in os.walk(tree.root):
        inside = os.path.relpath(at, tree.root).replace(os.sep, "/")
        start = "" if inside == "." else f"{inside}/"
        if start and ignore.VENV_MARK in files:
            out.append(inside)
            names.clear()
            continue
        found = [start + name for name in files]
        for name in sorted(names):
            is_link = os.path.islink(f"{at}/{name}")  # noqa: PTH114 - one call for each of thousands
            found += [start + name] if is_link else []
            if is_link or name in closed or (not rules.has_exceptions and rules.excludes(start + name)):
                names.remove(name)
        out += [path for path in found if path not in wanted and not rules.excludes(path)]
    back = [path for path in tree.paths() if rules.excludes(path)]
    return tuple(f"/{_literal(path)}" for path in sorted(out)), tuple(f"!/{_literal(path)}" for path in back)


def _literal(path: str) -> str:
    """Return a pattern that fits ``path``: nothing in it is special, and what a line cannot hold is any letter."""
    quoted = re.sub(r"([*?\[\]\\^])", r"\\\1", path)
    quoted = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", "?", quoted)
    return re.sub(r" $|^ ", "?", quoted)
