"""setup.py as a syntax tree: the arguments of setup(), as far as they are written plainly. It is never run."""

from __future__ import annotations

import ast
import posixpath
from typing import Any

import msgspec

from s2i.sources import Tree

_KEYS = frozenset({"name", "install_requires", "python_requires", "entry_points", "package_dir"})
_DEEPEST = 12
_MOST = 50_000  # expressions that are looked at: names of lists of names multiply


class Lines(msgspec.Struct, frozen=True):
    """The lines of a file of the source: ``open("requirements.txt").read().splitlines()`` and its like."""

    path: str


class _Unknown:
    """What only running the file would tell."""


UNKNOWN: Any = _Unknown()


def read(tree: Tree) -> dict[str, Any] | None:
    """Return the arguments of setup() by name, ``line`` with them; None when the file or the call cannot be read.

    A value is text, a list or dict of values, Lines, or UNKNOWN.
    """
    try:
        body = ast.parse(tree.read("setup.py")).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    reader = _Reader(body)
    for node in body:
        call = _setup_call(node)
        if call is not None:
            if any(keyword.arg is None for keyword in call.keywords):
                return None  # setup(**arguments)
            found = {k.arg: reader.value(k.value) for k in call.keywords if k.arg in _KEYS}
            line = next((k.value.lineno for k in call.keywords if k.arg == "install_requires"), call.lineno)
            return {**found, "line": line}
    return None


def _setup_call(node: ast.stmt) -> ast.Call | None:
    """Return the call of setup(), also under the main guard."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Name("setup") | ast.Attribute(attr="setup")) as call):
            return call
        case ast.If(body=body):
            return next((found for inner in body if (found := _setup_call(inner))), None)
    return None


class _Reader:
    def __init__(self, body: list[ast.stmt]) -> None:
        self.bound: dict[str, ast.expr] = {}
        self.functions = {n.name: n for n in body if isinstance(n, ast.FunctionDef)}
        self.files: dict[str, str] = {}  # with open("x") as f
        self.unsure: set[str] = set()
        self.looked = 0
        for node in body:
            self._bind(node)

    def value(self, node: ast.expr, deep: int = 0) -> Any:
        """Return what an expression is, UNKNOWN when that cannot be told."""
        self.looked += 1
        if deep > _DEEPEST or self.looked > _MOST:
            return UNKNOWN
        match node:
            case ast.Constant(value=str() as text):
                return text
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                found = [self.value(e, deep + 1) for e in elements]
                return UNKNOWN if UNKNOWN in found else found
            case ast.Dict(keys=keys, values=values):
                named = [k.value if isinstance(k, ast.Constant) else None for k in keys]
                return {k: self.value(v, deep + 1) for k, v in zip(named, values, strict=True) if isinstance(k, str)}
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                pair = (self.value(left, deep + 1), self.value(right, deep + 1))
                return pair[0] + pair[1] if type(pair[0]) is type(pair[1]) and type(pair[0]) in (str, list) else UNKNOWN
            case ast.Name(id=name) if name in self.bound and name not in self.unsure:
                return self.value(self.bound[name], deep + 1)
            case ast.Call() | ast.ListComp():
                return self._lines(node, deep)
        return UNKNOWN

    def _bind(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name in self.bound:
                    self.unsure.add(name)
                self.bound[name] = value
            case ast.With(items=items, body=body):
                for item in items:
                    path = _opened(item.context_expr)
                    if isinstance(item.optional_vars, ast.Name) and path:
                        self.files[item.optional_vars.id] = path
                for inner in body:
                    self._bind(inner)
            case (
                ast.AugAssign(target=ast.Name(id=name))
                | ast.Expr(
                    value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append" | "extend" | "insert"))
                )
            ):
                self.unsure.add(name)
            case ast.If() | ast.For() | ast.While() | ast.Try():
                self.unsure.update(_assigned(node))

    def _lines(self, node: ast.expr, deep: int) -> Any:
        """Return Lines for what reads a file and splits it, through a function of the file as well."""
        path = self._path(node, deep)
        if not path:
            return UNKNOWN
        splits = any(
            isinstance(n, ast.ListComp)
            or (isinstance(n, ast.Attribute) and n.attr in ("splitlines", "split", "readlines"))
            for n in self._reading(node)
        )
        return Lines(path) if splits and path.endswith((".txt", ".in")) else UNKNOWN

    def _reading(self, node: ast.expr) -> list[ast.AST]:
        """Return the nodes of an expression, and of the functions and names of this file that it uses."""
        seen = list(ast.walk(node))
        for inner in tuple(seen):
            if isinstance(inner, ast.Name) and inner.id in self.functions:
                seen.extend(ast.walk(self.functions[inner.id]))
            elif isinstance(inner, ast.Name) and inner.id in self.bound:
                seen.extend(ast.walk(self.bound[inner.id]))
        return seen

    def _path(self, node: ast.expr, deep: int) -> str:
        """Return the one file of requirements that an expression reads, "" when there is none or more than one."""
        reading = self._reading(node)
        names = {n.id for n in reading if isinstance(n, ast.Name)}
        attributes = {n.attr for n in reading if isinstance(n, ast.Attribute)}
        opens = bool(names & {"open", "Path", *self.files} or attributes & {"open", "read_text"})
        named = {n.value for n in reading if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        named |= {self.files[n.id] for n in reading if isinstance(n, ast.Name) and n.id in self.files}
        paths = {posixpath.normpath(p) for p in named if p.endswith((".txt", ".in")) and "\n" not in p}
        return paths.pop() if opens and len(paths) == 1 else ""


def _opened(node: ast.expr) -> str:
    match node:
        case ast.Call(func=ast.Name("open") | ast.Attribute(attr="open"), args=[first, *_]):
            texts = [n.value for n in ast.walk(first) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            return texts[-1] if texts else ""
    return ""


def _assigned(node: ast.stmt) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
