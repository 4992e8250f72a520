"""Facts about one Python module, read from its syntax tree: it is never imported or run.

``parse`` answers what its names are bound to, what its functions return, whether it has a ``__main__`` guard.
"""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+).*")

_SLOW = frozenset({"punycode", "idna"})  # for names of hosts: their time grows with the square of the text

Form = Literal["call", "name", "import", "def", "async def", "class"]


class Binding(msgspec.Struct, frozen=True):
    """One top-level name. ``target`` is dotted and resolved through the module's imports: what is called or named.

    Of a function, ``makes`` holds what it can return, and ``required`` its required parameters.
    """

    name: str
    line: int
    form: Form
    target: str = ""
    text: str = ""  # a string literal it is bound to, or the first string argument of the call
    required: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()


class Module(msgspec.Struct, frozen=True):
    """One file: dotted ``name``, the folder it is imported from (``root``: "" or "src"), and what stands in it."""

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


class Broken(msgspec.Struct, frozen=True):
    """A file that Python cannot parse, and why."""

    path: str
    line: int
    why: str
    python2: bool = False


def parse(path: str, source: bytes, root: str, name: str) -> Module | Broken:
    """Parse one file; ``root`` and ``name`` say how it is imported. What Python cannot parse is Broken."""
    try:
        _check_encoding(source)
        body = ast.parse(source).body
    except SyntaxError as error:
        return Broken(path, error.lineno or 1, error.msg or "invalid syntax", _looks_like_python2(error))
    except (ValueError, LookupError, RecursionError, MemoryError) as error:
        return Broken(path, 1, str(error) or "nested too deeply")
    reader = _Reader(path, root, name)
    if b"DJANGO_SETTINGS_MODULE" in source:
        reader.find_settings(body)
    return reader.read(body)


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


class _Reader:
    """Reads one module's top level: bindings, imports, the guard, what it does when it is run."""

    def __init__(self, path: str, root: str, name: str) -> None:
        self.path, self.root, self.name = path, root, name
        self.package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
        self.bindings: dict[str, Binding] = {}
        self.aliases: dict[str, str] = {}
        self.stars: list[str] = []
        self.imports: set[str] = set()
        self.words: set[str] = set()
        self.settings: tuple[str, int] | None = None
        self.guard = self.acts = 0

    def read(self, body: list[ast.stmt]) -> Module:
        for statement in _flat(body):
            self._statement(statement)
        return Module(
            self.path, self.name, self.root, self.bindings, tuple(self.stars), frozenset(self.imports),
            frozenset(self.words), self.settings, self.guard, self.acts,
        )  # fmt: skip

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Import():
                self._import(node)
            case ast.ImportFrom():
                self._import_from(node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, value, node.lineno)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, value, node.lineno)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.ClassDef(bases=bases):
                base = next((d for b in bases if (d := self._dotted(b))), "")
                self._bind(Binding(node.name, node.lineno, "class", base))
            case ast.If() if _is_guard(node):
                self.guard = self.guard or node.lineno
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.For() | ast.While():
                self.acts = self.acts or node.lineno

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.imports.add(alias.name.partition(".")[0])
            local = alias.asname or alias.name.partition(".")[0]
            self.aliases[local] = alias.name if alias.asname else local

    def _import_from(self, node: ast.ImportFrom) -> None:
        package = node.module or ""
        if node.level:
            parts = self.package.split(".") if self.package else []
            parts = parts[: len(parts) - node.level + 1]
            package = ".".join([*parts, *([node.module] if node.module else [])])
        else:
            self.imports.add(package.partition(".")[0])
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(package)
                continue
            target = f"{package}.{alias.name}" if package else alias.name
            local = alias.asname or alias.name
            self.aliases[local] = target
            self._bind(Binding(local, node.lineno, "import", target))

    def _assign(self, target: ast.expr, value: ast.expr, line: int) -> None:
        if not isinstance(target, ast.Name):
            return
        if isinstance(value, ast.Call):
            self._bind(Binding(target.id, line, "call", self._dotted(value.func), _first_text(value)))
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            self._bind(Binding(target.id, line, "name", text=value.value))
        else:
            if isinstance(value, ast.List | ast.Tuple):
                self.words.update(
                    w.value for w in value.elts if isinstance(w, ast.Constant) and isinstance(w.value, str)
                )
            self._bind(Binding(target.id, line, "name", self._dotted(value)))

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        form: Form = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        given = [*node.args.posonlyargs, *node.args.args]
        required = [a.arg for a in given[: len(given) - len(node.args.defaults)]]
        optional = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        required += [a.arg for a, default in optional if default is None]
        makes = tuple(self._makes(node)) if not required and form == "def" else ()
        self._bind(Binding(node.name, node.lineno, form, f"{self.name}.{node.name}", "", tuple(required), makes))

    def _makes(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
        """Yield what a function can return: the callee of a returned call, or of what a returned name was bound to."""
        local = dict(self.aliases)
        bound: dict[str, str] = {}
        returned: list[ast.expr] = []
        for inner in _within(node):
            match inner:
                case ast.ImportFrom(module=str() as package, level=0):
                    local.update({a.asname or a.name: f"{package}.{a.name}" for a in inner.names})
                case (
                    ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
                    | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
                ):
                    bound.setdefault(name, self._dotted(call.func, local))
                case ast.Return(value=ast.expr() as value):
                    returned.append(value)
        if node.returns is not None:
            yield self._dotted(node.returns, local)
        for value in returned:
            if isinstance(value, ast.Call):
                yield self._dotted(value.func, local)
            elif isinstance(value, ast.Name):
                yield bound.get(value.id, "")

    def find_settings(self, body: list[ast.stmt]) -> None:
        """Note ``os.environ.setdefault("DJANGO_SETTINGS_MODULE", "x.settings")`` anywhere in the file."""
        for node in (n for statement in body for n in ast.walk(statement)):
            match node:
                case ast.Call(args=[ast.Constant("DJANGO_SETTINGS_MODULE"), ast.Constant(str() as value), *_]):
                    self.settings = (value, node.lineno)
                case ast.Assign(
                    targets=[ast.Subscript(slice=ast.Constant("DJANGO_SETTINGS_MODULE"))],
                    value=ast.Constant(str() as value),
                ):
                    self.settings = (value, node.lineno)

    def _bind(self, binding: Binding) -> None:
        before = self.bindings.get(binding.name)
        # `app = ProxyFix(app)` wraps: what the name was first bound to says more than the wrapper.
        if before is None or before.form == "import" or binding.form in ("def", "async def", "class"):
            self.bindings[binding.name] = binding

    def _dotted(self, node: ast.expr, aliases: dict[str, str] | None = None) -> str:
        """Return ``f.FastAPI`` as "fastapi.FastAPI" when ``f`` is fastapi; "" for what is no dotted name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or len(parts) > 8:
            return ""
        first = (aliases or self.aliases).get(node.id)
        if first is None:
            first = f"{self.name}.{node.id}"
        return ".".join([first, *reversed(parts)])


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield top-level statements, and those in top-level ``if``, ``try`` and ``with``, but not under the main guard."""
    for node in body:
        yield node
        match node:
            case ast.If() if not _is_guard(node):
                yield from _flat([*node.body, *node.orelse])
            case ast.Try():
                yield from _flat([*node.body, *node.orelse, *node.finalbody])
            case ast.With():
                yield from _flat(node.body)


def _within(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function's body in order, without those of functions defined inside it."""
    waiting: list[ast.AST] = list(reversed(function.body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


def _is_guard(node: ast.If) -> bool:
    match node.test:
        case ast.Compare(left=ast.Name("__name__"), comparators=[ast.Constant("__main__")]):
            return True
        case ast.Compare(left=ast.Constant("__main__"), comparators=[ast.Name("__name__")]):
            return True
    return False


def _first_text(call: ast.Call) -> str:
    match call.args:
        case [ast.Constant(str() as text), *_]:
            return text
    return ""
