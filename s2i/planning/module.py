"""Facts about one Python module, read from its syntax tree: it is never imported or run.

``parse`` answers what its names are bound to, what its functions return, what it calls and from where, and whether it
has a ``__main__`` guard.
"""

from __future__ import annotations

import codecs
from typing import Literal

import msgspec

from s2i.patterns import lazily
from s2i.planning import constants, syntax
from s2i.planning.constants import Constants
from s2i.planning.expression import Expression

_COOKIE = lazily(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+).*")

_SLOW = frozenset({"punycode", "idna"})  # for names of hosts: their time grows with the square of the text

# Flask's folder of what belongs to one installation, which whoever names it wants to be there; and what asks for the
# metadata of an installed distribution, most often its own.
MENTIONS = (
    b"instance_path", b"instance_relative_config", b"importlib.metadata", b"importlib_metadata", b"get_distribution",
)  # fmt: skip

Form = Literal["value", "import", "def", "async def", "class"]


class Binding(msgspec.Struct, frozen=True):
    """One top-level name, or one method of a class.

    ``target`` is the dotted name that an import binds. A ``value`` is what the name is bound to last; ``earlier`` what
    it was bound to before. Of a function, ``makes`` holds what it can return, ``required`` its required parameters.
    Of a class, ``bases``, ``methods`` and ``attributes`` (what ``self.x`` is bound to).
    """

    name: str
    line: int
    form: Form
    target: str = ""
    text: str = ""  # a string literal it is bound to, or the first string argument of the call
    value: Expression | None = None
    earlier: Binding | None = None
    required: tuple[str, ...] = ()
    makes: tuple[Expression, ...] = ()
    bases: tuple[str, ...] = ()
    methods: dict[str, Binding] = {}
    attributes: dict[str, Expression] = {}
    decorators: tuple[str, ...] = ()


class Site(msgspec.Struct, frozen=True):
    """One call. ``place`` is the function it stands in ("Class.method"), "" at the top, "__main__" under the guard.

    ``names`` are the plain names among its arguments; ``host`` and ``port`` the arguments that are called so.
    """

    called: Expression | None
    place: str
    line: int
    names: tuple[str, ...] = ()
    text: str = ""  # the first argument, when it is a string
    host: Expression | None = None
    port: Expression | None = None


class Module(msgspec.Struct, frozen=True):
    """One file: dotted ``name``, the folder it is imported from (``root``), and what stands in it.

    ``sites`` and ``reads`` are only known of a module that names something worth it: see ``parse``.
    """

    path: str
    name: str
    root: str
    bindings: dict[str, Binding]
    stars: tuple[str, ...] = ()
    imports: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()  # string items of top-level lists: INSTALLED_APPS and the like
    settings: tuple[str, int] | None = None  # DJANGO_SETTINGS_MODULE: the value and its line
    guard: int = 0  # line of `if __name__ == "__main__"`
    acts: int = 0  # first line that does something when the file is run
    sites: tuple[Site, ...] = ()
    reads: dict[str, int] = {}  # environment variables by name: the line that reads each
    imported: frozenset[str] = frozenset()  # the modules that it imports, or imports from, by their dotted names
    python: str = ""  # the oldest Python that parses it, where that is newer than this one
    python_line: int = 0
    mentions: frozenset[str] = frozenset()  # those of MENTIONS that stand anywhere in it
    constants: Constants = Constants()  # of what may be a module of settings


class Broken(msgspec.Struct, frozen=True):
    """A file that Python cannot parse, and why."""

    path: str
    line: int
    why: str
    python2: bool = False


def parse(path: str, source: bytes, root: str, name: str, deep: bool = True) -> Module | Broken:
    """Parse one file; ``root`` and ``name`` say how it is imported. What Python cannot parse is Broken.

    ``deep``: look into functions as well, for calls and environment variables; it costs as much again.
    """
    from s2i.planning.reading import Reader

    try:
        _check_encoding(source)
        parsed = syntax.parse(source)
    except SyntaxError as error:
        return Broken(path, error.lineno or 1, error.msg or "invalid syntax", _looks_like_python2(error))
    except (ValueError, LookupError, RecursionError, MemoryError) as error:
        return Broken(path, 1, str(error) or "nested too deeply")
    reader, body = Reader(path, root, name, parsed), parsed.body
    if b"DJANGO_SETTINGS_MODULE" in source:
        reader.settings = constants.settings_module(body)
    try:
        module = reader.read(body, deep=deep)
    except RecursionError:
        return Broken(path, 1, "nested too deeply")
    if mentions := frozenset(word.decode() for word in MENTIONS if word in source):
        module = msgspec.structs.replace(module, mentions=mentions)
    if any(mark in source for mark in constants.MARKS):
        return msgspec.structs.replace(module, constants=constants.read(body))
    return module


def _check_encoding(source: bytes) -> None:
    """Refuse what Python would refuse at import: ``ast.parse`` lets a stray byte in a comment pass."""
    cookie = b"utf-8"
    for line in source.split(b"\n", 2)[:2]:
        if found := _COOKIE.fullmatch(line.removeprefix(codecs.BOM_UTF8)):
            cookie = found[1]
            break
    if codecs.lookup(cookie.decode("ascii")).name in _SLOW:
        raise ValueError(f"it is written in {cookie.decode('ascii')}")
    if b"\0" in source:
        raise ValueError("the file contains a null byte")
    try:
        source.decode(cookie.decode("ascii"))
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start} is not {cookie.decode('ascii')}") from None


def _looks_like_python2(error: SyntaxError) -> bool:
    message = error.msg or ""
    hints = (
        "Missing parentheses in call to 'print'",
        "Missing parentheses in call to 'exec'",
        "multiple exception types",
    )
    return any(hint in message for hint in hints) or "leading zeros in decimal" in message
