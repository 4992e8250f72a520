"""Read requirements files and what they include, without running pip. Nothing outside the tree is ever opened."""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Iterator

import msgspec

from s2i.errors import (
    E_PATH_ESCAPE,
    E_REQ,
    E_REQ_CYCLE,
    E_REQ_DEPTH,
    E_REQ_LOCAL,
    E_REQ_OPTION,
    E_REQ_URL,
)
from s2i.patterns import lazily
from s2i.sources import Tree

DEEPEST = 20
LONGEST = 8192  # characters of one requirement without its hashes
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
# Spaces are taken whole (*+): shared between several places, a thousand of them would be tried a billion ways.
_CLAUSE = r"\s*+(?:===|~=|==|!=|<=|>=|<|>)\s*+[A-Za-z0-9._*+!-]++\s*+"
_REQUIREMENT = lazily(
    rf"({_NAME})\s*+(?:\[([A-Za-z0-9._,\s-]*+)\])?\s*+\(?((?:{_CLAUSE})(?:,{_CLAUSE})*+,?)?\)?\s*+(?:;(.*))?", re.ASCII
)
_SINGLE = lazily(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*=\s*([A-Za-z0-9][A-Za-z0-9.*+!-]*)")
_AT_URL = lazily(rf"({_NAME})\s*+(?:\[([A-Za-z0-9._,\s-]*+)\])?\s*+@\s*+(\S++)(?:\s++;(.*)|\s*+)", re.ASCII)
_URL = lazily(r"(git\+https|git\+ssh|https)://[A-Za-z0-9._~:/?#\[\]@!&'()*+,;=%-]+", re.ASCII)
_LONG = lazily(r"(--[A-Za-z][A-Za-z-]*)(?:[\s=]\s*(.*))?")
_BROKEN_LINE = lazily(r"^[^#\n]*\\\r?\n(?!\s*--hash)", re.MULTILINE)
_COMMENT = lazily(r"(?:^|(?<=\s))#.*$")
_HASH = lazily(r"\s--hash[= ]\s*[a-z0-9]+:[0-9a-f]+")
_QUIET = frozenset({"--pre", "--require-hashes", "--prefer-binary", "--no-binary", "--only-binary", "--no-index"})
_INDEX = frozenset({"-i", "--index-url", "--extra-index-url"})
_LINKS = frozenset({"-f", "--find-links"})
_EXACT = lazily(r"={2,3}[^*,]+")


class Requirement(msgspec.Struct, frozen=True):
    """One distribution that is asked for: the normalised ``name``, ``spec`` (">=3,<4"; "" for any), ``file:line``.

    ``marker`` says on which platforms ("sys_platform == 'win32'"), "" for all.
    """

    name: str
    spec: str
    where: str
    extras: tuple[str, ...] = ()
    marker: str = ""


class Requirements(msgspec.Struct, frozen=True):
    """A requirements file with all that it includes.

    ``files`` are all of them, in order of reading; ``local``: it installs a folder of the source itself.
    ``rewrite`` are those that pip reads and uv does not: UTF-16, or a requirement that goes over two lines.
    """

    files: tuple[str, ...]
    found: tuple[Requirement, ...]
    local: bool = False
    hashed: bool = False
    rewrite: tuple[str, ...] = ()
    all_hashed: bool = False

    @property
    def pinned(self) -> bool:
        """Whether it names one exact version of each distribution, as `pip freeze` does."""
        return bool(self.found) and all(_EXACT.fullmatch(r.spec) for r in self.found)


def read(tree: Tree, path: str) -> Requirements:
    """Read a requirements file and its -r and -c closure. Raises E_REQ… and what Tree.read raises (exit 3)."""
    reader = _Reader(tree)
    reader.file(path, ())
    return Requirements(
        tuple(reader.files),
        tuple(reader.found),
        reader.local,
        reader.hashed,
        tuple(reader.rewrite),
        reader.hashed and not reader.bare,
    )


def options(tree: Tree, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield each option of one requirements file: its name, its value, ``file:line``."""
    for number, line in _logical_lines(tree.text(path)):
        if line.startswith("-"):
            yield (*_option(line), f"{path}:{number}")


def parse(text: str, where: str) -> Requirement | None:
    """Parse one PEP 508 requirement; None when it is a URL. Raises E_REQ, E_REQ_LOCAL."""
    if match := _REQUIREMENT.fullmatch(text):
        name, extras, spec, marker = match.groups()
        _check_marker(marker, text, where)
        spec = re.sub(r"\s+", "", spec or "").rstrip(",")
        return Requirement(normalise(name), spec, where, _split(extras), (marker or "").strip())
    if match := _AT_URL.fullmatch(text):
        name, extras, url, marker = match.groups()
        _check_marker(marker, text, where)
        _check_url(url, where)
        return Requirement(normalise(name), "", where, _split(extras), (marker or "").strip())
    single = _SINGLE.fullmatch(text)
    why = f": a version has two equal signs: {single[1]}=={single[2]}" if single else ""
    raise E_REQ(value=_shown(text), why=why, where=where)


def word(text: str, where: str) -> str:
    """Return a requirement as it can stand in a command of a Dockerfile. Raises E_REQ for what cannot, E_REQ_LOCAL."""
    parse(text, where)
    return _held(text, where)


def file_word(path: str, where: str) -> str:
    """Return the path of a file as it can stand in a command of a Dockerfile. Raises E_REQ for one that cannot."""
    return _held(f"./{path}" if path.startswith("-") else path, where)


def normalise(name: str) -> str:
    """Return the one spelling of a distribution's name: "Flask_SQLAlchemy" gives "flask-sqlalchemy"."""
    return re.sub(r"[-_.]+", "-", name).lower()


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.files: list[str] = []
        self.found: list[Requirement] = []
        self.rewrite: list[str] = []
        self.local = self.hashed = self.bare = False

    def file(self, path: str, chain: tuple[str, ...], constraints: bool = False) -> None:
        if path in chain:
            raise E_REQ_CYCLE(chain=" -> ".join((*chain, path)), where=chain[-1])
        if len(chain) > DEEPEST:
            raise E_REQ_DEPTH(limit=DEEPEST, where=path)
        if path in self.files:
            return
        text = self._text(path)
        self.files.append(path)
        for number, line in _logical_lines(text):
            self._line(line, f"{path}:{number}", (*chain, path), constraints)

    def _text(self, path: str) -> str:
        text = self.tree.text(path)
        is_utf16 = self.tree.read(path).startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        if is_utf16 or _BROKEN_LINE.search(text):
            self.rewrite.append(file_word(path, path))
        return text

    def _line(self, line: str, where: str, chain: tuple[str, ...], constraints: bool) -> None:
        if "${" in line:
            raise E_REQ(value=_shown(line), why=": variables are not expanded", where=where)
        if line.startswith("-"):
            self._option(line, where, chain)
            return
        bare = _HASH.sub("", line).strip()
        is_hashed = bare != line.strip()
        self.hashed = self.hashed or is_hashed
        self.bare = self.bare or not is_hashed
        if len(bare) > LONGEST:
            raise E_REQ(value=_shown(bare), why=f": longer than {LONGEST:,} characters", where=where)
        if bare.startswith((".", "/")) or bare.startswith("file:"):
            self._local(bare, where)
        elif _URL.fullmatch(bare):
            _check_url(bare, where)
        elif (found := parse(bare, where)) and not constraints:
            self.found.append(found)

    def _option(self, line: str, where: str, chain: tuple[str, ...]) -> None:
        option, value = _option(line)
        if option in ("-r", "--requirement", "-c", "--constraint"):
            self.file(_inside(self.tree, value, chain[-1], where), chain, option in ("-c", "--constraint"))
        elif option in ("-e", "--editable"):
            if not _URL.fullmatch(value):
                self._local(value, where)
        elif option in _INDEX:
            if not _URL.fullmatch(value) or not value.startswith("https://") or "@" in value:
                raise E_REQ_OPTION(option=option, why=": this index is not a plain https:// address", where=where)
        elif option in _LINKS:
            self._links(option, value.strip("\"'"), where)
        elif option == "--require-hashes":
            self.hashed = True
        elif option not in _QUIET:
            raise E_REQ_OPTION(option=_shown(option), why="", where=where)

    def _links(self, option: str, value: str, where: str) -> None:
        """Accept a page or a folder of wheels. Of a folder, the source is needed."""
        if "://" not in value:
            self._local(value, where)
        elif not _URL.fullmatch(value) or not value.startswith("https://") or "@" in value:
            raise E_REQ_OPTION(option=option, why=": this page is not a plain https:// address", where=where)

    def _local(self, value: str, where: str) -> None:
        """Accept a folder or a wheel of the source: its files are then needed for the installation."""
        path = re.sub(r"\[[A-Za-z0-9._,\s-]*\]", "", value).removeprefix("file:")
        if path.startswith("/"):
            raise E_REQ_LOCAL(value=_shown(value), where=where)
        inner = posixpath.normpath(path)
        if inner.startswith(".."):
            raise E_PATH_ESCAPE(path=value, to="", where=where)
        if inner != "." and inner not in self.tree and not any(e.path.startswith(f"{inner}/") for e in self.tree.files):
            raise E_REQ(value=_shown(value), why=": no such file or folder in the source", where=where)
        self.local = True


def _option(line: str) -> tuple[str, str]:
    long = _LONG.fullmatch(line)
    return (long[1], long[2] or "") if long else (line[:2], line[2:].lstrip(" \t="))


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number: continuations joined, comments and blank lines left out, as pip does."""
    waiting, started = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        started = started or number
        is_comment = raw.lstrip().startswith("#")
        if raw.endswith("\\") and not is_comment:
            waiting += raw.rstrip("\\")
            continue
        line = _COMMENT.sub("", waiting + ("" if is_comment else raw)).strip()
        if line:
            yield started, line
        waiting, started = "", 0
    if waiting.strip():
        yield started, waiting.strip()


def _inside(tree: Tree, value: str, including: str, where: str) -> str:
    """Return the path in the tree of an included file. Raises E_REQ_URL, E_PATH_ESCAPE, E_REQ."""
    value = value.strip("\"'")
    if "://" in value:
        raise E_REQ_URL(value=_shown(value), where=where)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(including), value))
    if value.startswith("/") or path.startswith(".."):
        raise E_PATH_ESCAPE(path=value, to="", where=where)
    if path not in tree:
        raise E_REQ(value=_shown(value), why=": no such file in the source", where=where)
    return path


def _held(text: str, where: str) -> str:
    if not text.isascii() or not text.isprintable() or "\\" in text or "<<" in text:
        raise E_REQ(value=_shown(text), why=": it has a character that a Dockerfile cannot hold", where=where)
    return text


def _split(extras: str | None) -> tuple[str, ...]:
    return tuple(normalise(extra.strip()) for extra in (extras or "").split(",") if extra.strip())


def _check_url(url: str, where: str) -> None:
    if url.startswith("file:") or url.startswith(("/", ".")):
        raise E_REQ_LOCAL(value=_shown(url), where=where)
    if not _URL.fullmatch(url):
        raise E_REQ(value=_shown(url), why=": only https:// and git+https:// addresses are taken", where=where)


def _check_marker(marker: str | None, text: str, where: str) -> None:
    if marker is None:
        return
    from packaging.markers import InvalidMarker, Marker  # here: most files have no marker

    try:
        Marker(marker)
    except InvalidMarker:
        raise E_REQ(value=_shown(text), why=": what follows the ; is no environment marker", where=where) from None


def _shown(value: str) -> str:
    r"""Return a value for an error: \u escapes unmask letters that only look like ASCII."""
    return value[:120].encode("unicode_escape").decode() + ("…" if len(value) > 120 else "")
