"""What a module of settings sets and which environment variables it reads, from its syntax tree: nothing is run.

For modules like Django's settings: upper-case names at the top level, in ``if`` and ``try``, and in classes
(django-configurations). The order is that of the file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

import msgspec

from s2i.patterns import lazily

# A file that has none of these words is no module of settings, nor a part of one.
MARKS = (
    b"INSTALLED_APPS", b"ALLOWED_HOSTS", b"MIDDLEWARE", b"DATABASE", b"STATIC_", b"SECRET_KEY", b"import *",
    b"SGI_APPLICATION", b"split_settings",
)  # fmt: skip
_VARIABLE = lazily(r"[A-Z][A-Z0-9_]{0,99}")
_TYPES = frozenset({"bool", "int", "str", "list", "float", "dict"})  # env("X", bool): a type, no default
_READERS = frozenset({"config", "get_secret", "require"})  # decouple.config; the usual names of home-made ones


class Read(msgspec.Struct, frozen=True):
    """An environment variable that is read; ``needed``: at every import, with no default."""

    name: str
    line: int
    needed: bool


class Constant(msgspec.Struct, frozen=True):
    """One statement that sets, or adds to, an upper-case name.

    ``words`` are all strings in its value; ``literal``: a plain list of strings, a string, True, False, None, {};
    ``value`` is the text of a string, or "True", "False", "None"; ``certain``: not under ``if``, ``try`` or in a class.
    """

    name: str
    line: int
    value: str = ""
    words: tuple[str, ...] = ()
    literal: bool = False
    certain: bool = True
    adds: bool = False
    reads: tuple[Read, ...] = ()


class Constants(msgspec.Struct, frozen=True):
    """What one module sets and reads. ``includes``: what split_settings' ``include()`` names."""

    found: tuple[Constant, ...] = ()
    reads: tuple[Read, ...] = ()
    includes: tuple[str, ...] = ()


def read(body: Iterable[ast.stmt]) -> Constants:
    """Return what the statements of a module set and read."""
    found: list[Constant] = []
    reads: list[Read] = []
    includes: list[str] = []
    for node, certain in _statements(body, certain=True):
        here = tuple(_reads(node, certain, _target(node)))
        reads += here
        if constant := _constant(node, certain, here):
            found.append(constant)
        match node:
            case ast.Expr(value=ast.Call(func=ast.Name("include")) as call):
                includes += _words(call)
    defaults = {name for node in body for name in _schema(node)}
    return Constants(tuple(found), tuple(r for r in reads if r.name not in defaults), tuple(includes))


def _statements(body: Iterable[ast.stmt], *, certain: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield simple statements, and whether each is reached by every import. A long ``elif`` is deep: no recursion."""
    waiting = [(node, certain) for node in body][::-1]
    while waiting:
        node, sure = waiting.pop()
        match node:
            case ast.If() | ast.For() | ast.While():
                inner, holds = [*node.body, *node.orelse], False
            case ast.Try():
                handlers = [s for h in node.handlers for s in h.body]
                inner, holds = [*node.body, *handlers, *node.orelse, *node.finalbody], False
            case ast.With():
                inner, holds = node.body, sure
            case ast.ClassDef():
                inner, holds = node.body, False
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                continue
            case _:
                yield node, sure
                continue
        waiting += [(each, holds) for each in reversed(inner)]


def _target(node: ast.stmt) -> str:
    match node:
        case (
            ast.Assign(targets=[ast.Name(id=name), *_])
            | ast.AnnAssign(target=ast.Name(id=name))
            | ast.AugAssign(target=ast.Name(id=name))
            | ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name)), *_])
            | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "insert" | "extend")))
        ):
            return name if name.isupper() else ""
    return ""


def _constant(node: ast.stmt, certain: bool, reads: tuple[Read, ...]) -> Constant | None:
    name = _target(node)
    if not name:
        return None
    match node:
        case ast.Assign(targets=[ast.Name(), *_]) | ast.AnnAssign():
            value, adds = node.value, False
        case ast.Assign() | ast.AugAssign() | ast.Expr():
            value, adds = node.value, True
        case _:
            return None
    if value is None:
        return None
    text, literal = _literal(value)
    return Constant(name, node.lineno, text, tuple(_words(value)), literal, certain, adds, reads)


def _literal(value: ast.expr) -> tuple[str, bool]:
    """Return the text of a plain value, and whether all of it stands there as written."""
    match value:
        case ast.Constant(value=str() | bool() | None as plain):
            return str(plain), True
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
            return "", all(isinstance(i, ast.Constant) and isinstance(i.value, str) for i in items)
        case ast.Dict(keys=[]):
            return "", True
    return "", False


def _words(value: ast.AST) -> Iterator[str]:
    """Yield the strings in an expression as they stand in the file: a dict's key is before its value."""
    found = [n for n in ast.walk(value) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return (str(n.value) for n in sorted(found, key=lambda n: (n.lineno, n.col_offset)))


def _reads(statement: ast.AST, certain: bool, target: str) -> Iterator[Read]:
    """Yield the environment variables that a statement reads. What ``or``, ``x if y else z`` hold is not certain."""
    waiting = [(statement, certain)]
    while waiting:
        node, sure = waiting.pop()
        if isinstance(node, ast.Lambda):
            continue
        if found := _variable(node, target):
            name, default = found
            yield Read(name, getattr(node, "lineno", 1), sure and not default)
        sure = sure and not isinstance(node, ast.IfExp | ast.BoolOp)
        waiting += [(child, sure) for child in reversed(list(ast.iter_child_nodes(node)))]


def _variable(node: ast.AST, target: str) -> tuple[str, bool] | None:
    """Return the variable that an expression reads, and whether it has a default."""
    match node:
        case ast.Subscript(value=environ, slice=ast.Constant(str() as name), ctx=ast.Load()):
            return (name, False) if _dotted(environ)[-1:] == ["environ"] and _VARIABLE.fullmatch(name) else None
        case ast.Call(func=func, args=[ast.Constant(str() as name), *others], keywords=keywords):
            parts = _dotted(func)
            if not _VARIABLE.fullmatch(name) or not _is_reader(parts):
                return None
            positional = any(not (isinstance(o, ast.Name) and o.id in _TYPES) for o in others)
            return name, positional or any(k.arg == "default" for k in keywords) or _forgives(parts)
        case ast.Call(func=func, args=[], keywords=keywords):
            parts = _dotted(func)
            if parts[-1:] == ["SecretValue"] and target:
                return f"DJANGO_{target}", False
            if len(parts) > 1 and parts[-1] in ("db", "db_url") and "env" in parts[-2].lower():
                return "DATABASE_URL", any(k.arg == "default" for k in keywords)
    return None


def _is_reader(parts: list[str]) -> bool:
    return any("env" in part.lower() for part in parts) or bool(_READERS.intersection(parts[-1:]))


def _forgives(parts: list[str]) -> bool:
    """``os.environ.get`` and ``os.getenv`` give None for what is not set."""
    return parts[-1] == "getenv" or (parts[-1] == "get" and "environ" in parts)


def _schema(node: ast.AST) -> Iterator[str]:
    """Yield the variables that ``environ.Env(DEBUG=(bool, False))`` gives a default."""
    match node:
        case ast.Assign(value=ast.Call(func=func, keywords=keywords)) if _dotted(func)[-1:] == ["Env"]:
            for keyword in keywords:
                if keyword.arg and isinstance(keyword.value, ast.Tuple):
                    yield keyword.arg


def _dotted(node: ast.expr) -> list[str]:
    """Return the parts of ``os.environ.get``; of what is no dotted name, those behind it."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < 8:
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return parts[::-1]


def settings_module(body: Iterable[ast.stmt]) -> tuple[str, int] | None:
    """Return what a file sets DJANGO_SETTINGS_MODULE to when the environment says nothing, and its line."""
    names: dict[str, ast.expr] = {}
    found: list[tuple[str, int]] = []
    for node in (n for statement in body for n in ast.walk(statement)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                names.setdefault(name, value)
            case ast.Call(args=[ast.Constant("DJANGO_SETTINGS_MODULE"), value, *_]):
                found.append((_text(value, names), node.lineno))
            case ast.Call(args=[ast.Constant("DJANGO_SETTINGS_MODULE")], keywords=[ast.keyword("default", value), *_]):
                found.append((_text(value, names), node.lineno))
            case ast.Assign(targets=[ast.Subscript(slice=ast.Constant("DJANGO_SETTINGS_MODULE"))], value=value):
                found.append((_text(value, names), node.lineno))
    said = [f for f in found if f[0]]
    of_use = [f for f in said if "test" not in f[0]] or said
    return of_use[-1] if of_use else None


def _text(node: ast.expr, names: dict[str, ast.expr], hops: int = 0) -> str:
    """Return the text that an expression has where no environment variable is set, "" when that cannot be told."""
    if hops > 4:
        return ""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name) if name in names:
            return _text(names[name], names, hops + 1)
        case ast.IfExp(test=test, body=then, orelse=other):
            is_negated = isinstance(test, ast.UnaryOp) or (
                isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.NotIn)
            )
            return _text(then if is_negated else other, names, hops + 1)
        case ast.Call(args=[ast.Constant(), default, *_]) if _is_reader(_dotted(node.func)):
            return _text(default, names, hops + 1)
        case ast.Call(keywords=[ast.keyword("default", default), *_]):
            return _text(default, names, hops + 1)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            parts = [_text(left, names, hops + 1), _text(right, names, hops + 1)]
            return "".join(parts) if all(parts) else ""
        case ast.JoinedStr(values=values) if len(values) <= 8:  # texts of texts of texts grow without end
            parts = [_text(v.value if isinstance(v, ast.FormattedValue) else v, names, hops + 1) for v in values]
            return "".join(parts) if all(parts) else ""
    return ""
