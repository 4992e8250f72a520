"""Read one module's syntax tree into facts: ``module`` says which."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from s2i.patterns import lazily
from s2i.planning.expression import Attribute, Call, Either, Expression, Group, Item, Literal, Name
from s2i.planning.module import Binding, Form, Module, Site
from s2i.planning.syntax import Parsed

_DOTTED = lazily(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_ENVIRONMENT = lazily(r"[A-Z][A-Z0-9_]{2,60}", re.ASCII)
_READERS = frozenset({"getenv", "get", "config", "env", "int", "str"})
_DEEPEST = 20  # of an expression; what is nested deeper says nothing
_HISTORY = 6  # how often a name is bound anew, and remembered

Scope = Mapping[str, Expression]


class Reader:
    """Reads one module: bindings, imports, the guard, what it does when it is run."""

    def __init__(self, path: str, root: str, name: str, parsed: Parsed) -> None:
        self.parsed = parsed
        self.imported: set[str] = set()
        self.path, self.root, self.name = path, root, name
        self.package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
        self.bindings: dict[str, Binding] = {}
        self.aliases: dict[str, Expression] = {}
        self.stars: list[str] = []
        self.imports: set[str] = set()
        self.words: set[str] = set()
        self.settings: tuple[str, int] | None = None
        self.guard = self.acts = 0

    def read(self, body: list[ast.stmt], *, deep: bool) -> Module:
        """Return the facts; ``deep`` adds calls and environment variables."""
        for statement in _flat(body):
            self._statement(statement)
        sites: tuple[Site, ...] = ()
        reads: dict[str, int] = {}
        if deep:
            sites = tuple(self._sites(body))
            reads = dict(_environment(body))
        return Module(
            self.path, self.name, self.root, self.bindings, tuple(dict.fromkeys(self.stars)), frozenset(self.imports),
            frozenset(self.words), self.settings, self.guard, self.acts, sites, reads,
            frozenset(self.imported), self.parsed.python, self.parsed.line,
        )  # fmt: skip

    # Statements ---------------------------------------------------------------------------------------------

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Import():
                self._import(node, self.aliases)
            case ast.ImportFrom():
                for local, target in self._import_from(node, self.aliases):
                    self._bind(Binding(local, node.lineno, "import", target))
            case ast.Assign(targets=[target, *others], value=value):
                self._assign(target, value, node.lineno)
                for other in others:  # api = application = falcon.App(): one object under two names
                    self._assign(other, target if isinstance(target, ast.Name) else value, node.lineno)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, value, node.lineno)
            case ast.With(items=items):
                for item in items:
                    if isinstance(item.optional_vars, ast.Name):
                        self._assign(item.optional_vars, item.context_expr, node.lineno)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._bind(self._function(node, f"{self.name}.{node.name}"))
            case ast.ClassDef():
                self._bind(self._class(node))
            case ast.If() if _is_guard(node):
                self.guard = self.guard or node.lineno
            case ast.Expr(value=ast.Call() | ast.Await()) | ast.For() | ast.While():
                self.acts = self.acts or node.lineno

    def _import(self, node: ast.Import, into: dict[str, Expression]) -> None:
        for alias in node.names:
            self.imports.add(alias.name.partition(".")[0])
            self.imported.add(alias.name)
            local = alias.asname or alias.name.partition(".")[0]
            into[local] = Name(alias.name if alias.asname else local)

    def _import_from(self, node: ast.ImportFrom, into: dict[str, Expression]) -> Iterator[tuple[str, str]]:
        package = node.module or ""
        if node.level:
            parts = self.package.split(".") if self.package else []
            parts = parts[: max(0, len(parts) - node.level + 1)]
            package = ".".join([*parts, *([node.module] if node.module else [])])
        else:
            self.imports.add(package.partition(".")[0])
        self.imported.add(package)
        for alias in node.names:
            self.imported.add(f"{package}.{alias.name}")
            if alias.name == "*":
                self.stars.append(package)
                continue
            target = f"{package}.{alias.name}" if package else alias.name
            into[alias.asname or alias.name] = Name(target)
            yield alias.asname or alias.name, target

    def _assign(self, target: ast.expr, value: ast.expr, line: int) -> None:
        if isinstance(value, ast.List | ast.Tuple):
            self.words.update(w.value for w in value.elts if isinstance(w, ast.Constant) and isinstance(w.value, str))
        scope: Scope = self.aliases
        if isinstance(target, ast.Name) and target.id in self.bindings and target.id not in self.aliases:
            earlier = f"{self.name}.{target.id}#{_depth(self.bindings[target.id])}"
            scope = {**self.aliases, target.id: Name(earlier)}  # app = ProxyFix(app): the app of before
        for name, held in _targets(target, value, self._expression(value, scope)):
            self._bind(Binding(name, line, "value", text=_first_text(value), value=held))

    def _bind(self, binding: Binding) -> None:
        """Bind a name; what it held before is kept, for ``app = ProxyFix(app)`` wraps, and hides, what app was."""
        before = self.bindings.get(binding.name)
        if before is not None and _depth(before) < _HISTORY:
            binding = msgspec.structs.replace(binding, earlier=before)
        self.bindings[binding.name] = binding
        if binding.form != "import":
            self.aliases.pop(binding.name, None)

    # Functions and classes ----------------------------------------------------------------------------------

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, dotted: str) -> Binding:
        form: Form = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        given = [*node.args.posonlyargs, *node.args.args]
        required = [a.arg for a in given[: len(given) - len(node.args.defaults)]]
        optional = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        required += [a.arg for a, default in optional if default is None]
        local = self._locals(node)
        decorators = tuple(self._written(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list)
        return Binding(
            node.name, node.lineno, form, dotted, required=tuple(required), decorators=decorators,
            makes=tuple(self._makes(node, local)) if form == "def" else (),
        )  # fmt: skip

    def _locals(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.If) -> dict[str, Expression]:
        """Return what the names inside a function, or under the main guard, mean: imported there, or bound there."""
        local: dict[str, Expression] = dict(self.aliases)
        bound: set[str] = set()
        for inner in _within(node):
            match inner:
                case ast.Import():
                    self._import(inner, local)
                case ast.ImportFrom():
                    for _ in self._import_from(inner, local):
                        pass
                case (
                    ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value)
                ):
                    for name, held in _targets(target, value, self._expression(value, local)):
                        if held is not None and (name not in bound or _mentions(value, name)):
                            local[name] = held
                            bound.add(name)
        return local

    def _makes(self, node: ast.FunctionDef | ast.AsyncFunctionDef, local: Scope) -> Iterator[Expression]:
        """Yield what a function can return: its annotation says it, or the expressions that it returns."""
        if (annotation := node.returns) is not None and (name := self._annotated(annotation)):
            yield Call(name)
        for inner in _within(node):
            if isinstance(inner, ast.Return) and inner.value is not None:
                returned = self._expression(inner.value, local)
                if returned is not None:
                    yield returned

    def _annotated(self, node: ast.expr) -> Name | None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _DOTTED.fullmatch(node.value):
            if not all(map(str.isidentifier, parts := node.value.split("."))) or any(map(keyword.iskeyword, parts)):
                return None
            node = ast.parse(node.value, mode="eval").body
        found = self._expression(node, self.aliases)
        return found if isinstance(found, Name) else None

    def _class(self, node: ast.ClassDef) -> Binding:
        methods: dict[str, Binding] = {}
        attributes: dict[str, Expression] = {}
        for inner in node.body:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                methods[inner.name] = self._function(inner, f"{self.name}.{node.name}.{inner.name}")
                attributes.update(self._attributes(inner))
            elif isinstance(inner, ast.Assign) and isinstance(inner.targets[0], ast.Name):
                held = self._expression(inner.value, self.aliases)
                if held is not None:
                    attributes.setdefault(inner.targets[0].id, held)
        bases = tuple(d for b in node.bases if (d := self._written(b)))
        return Binding(node.name, node.lineno, "class", bases=bases, methods=methods, attributes=attributes)

    def _attributes(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, Expression]]:
        local: dict[str, Expression] | None = None
        for inner in _within(node):
            match inner:
                case (
                    ast.Assign(targets=[ast.Attribute(value=ast.Name("self"), attr=name)], value=value)
                    | ast.AnnAssign(target=ast.Attribute(value=ast.Name("self"), attr=name), value=ast.expr() as value)
                ):
                    local = self._locals(node) if local is None else local
                    if (held := self._expression(value, local)) is not None:
                        yield name, held

    # Expressions --------------------------------------------------------------------------------------------

    def _written(self, node: ast.expr) -> str:
        found = self._expression(node, self.aliases)
        return found.dotted if isinstance(found, Name) else ""

    def _expression(self, node: ast.expr, scope: Scope, depth: int = 0) -> Expression | None:
        """Return what an expression says; None where it says nothing to anybody here."""
        if depth > _DEEPEST:
            return None
        match node:
            case ast.Name(id=name):
                return scope.get(name) or Name(f"{self.name}.{name}")
            case ast.Attribute(value=of, attr=name):
                inner = self._expression(of, scope, depth + 1)
                if isinstance(inner, Name):
                    return Name(f"{inner.dotted}.{name}")
                return Attribute(inner, name) if inner is not None else None
            case ast.Call(func=function, args=arguments, keywords=keywords):
                given = [*arguments, *(k.value for k in keywords)]
                inner_ones = (self._expression(a, scope, depth + 1) for a in given[:12])
                called = self._expression(function, scope, depth + 1)
                return Call(called, tuple(a for a in inner_ones if a is not None))
            case ast.Constant(value=str() | int() as value) if not isinstance(value, bool):
                return Literal(value)
            case ast.Tuple(elts=items) | ast.List(elts=items) if len(items) <= 12:
                return Group(tuple(self._expression(i, scope, depth + 1) for i in items))
            case ast.Subscript(value=of, slice=ast.Constant(value=int() as index)):
                inner = self._expression(of, scope, depth + 1)
                return Item(inner, index) if inner is not None else None
            case ast.BoolOp(values=values):
                return _either(self._expression(v, scope, depth + 1) for v in values)
            case ast.IfExp(body=first, orelse=second):
                return _either(self._expression(v, scope, depth + 1) for v in (first, second))
            case ast.Await(value=value) | ast.NamedExpr(value=value):
                return self._expression(value, scope, depth + 1)
        return None

    # Calls --------------------------------------------------------------------------------------------------

    def _sites(self, body: list[ast.stmt]) -> Iterator[Site]:
        """Yield every call of the module, and the function it stands in."""
        waiting: list[tuple[ast.AST, str, Scope]] = [(s, "", self.aliases) for s in reversed(body)]
        while waiting:
            node, place, scope = waiting.pop()
            match node:
                case ast.If() if not place and _is_guard(node):
                    place, scope = "__main__", self._locals(node)
                case ast.ClassDef(name=name) if place in ("", "__main__"):
                    place = f"{name}."
                case ast.FunctionDef() | ast.AsyncFunctionDef() if place in ("", "__main__") or place.endswith("."):
                    place, scope = f"{place if place.endswith('.') else ''}{node.name}", self._locals(node)
                case ast.Call():
                    yield self._site(node, place, scope)
            waiting.extend((child, place, scope) for child in reversed(list(ast.iter_child_nodes(node))))

    def _site(self, node: ast.Call, place: str, scope: Scope) -> Site:
        keywords = {k.arg: k.value for k in node.keywords if k.arg}
        host = next((keywords[k] for k in ("host", "address", "server_name", "hostname") if k in keywords), None)
        port = next((keywords[k] for k in ("port", "server_port") if k in keywords), None)
        plain = (self._expression(a, scope) for a in [*node.args, *keywords.values()] if isinstance(a, ast.Name))
        first = node.args[0] if node.args else None
        if port is None and isinstance(first, ast.Tuple) and len(first.elts) == 2:  # HTTPServer(("", 8080), Handler)
            host, port = first.elts
        elif port is None and isinstance(first, ast.Constant | ast.Name) and _is_number(first):
            port = first
        return Site(
            self._expression(node.func, scope), place, node.lineno,
            tuple(a.dotted for a in plain if isinstance(a, Name)),
            first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else "",
            self._expression(host, scope) if host is not None else None,
            self._expression(port, scope) if port is not None else None,
        )  # fmt: skip


def _depth(binding: Binding) -> int:
    depth = 1
    while binding.earlier is not None:
        depth, binding = depth + 1, binding.earlier
    return depth


def _targets(target: ast.expr, value: ast.expr, held: Expression | None) -> Iterator[tuple[str, Expression | None]]:
    """Yield each name of an assignment's target and what it holds."""
    match target:
        case ast.Name(id=name):
            yield name, held
        case ast.Tuple(elts=names) | ast.List(elts=names) if not any(isinstance(n, ast.Starred) for n in names):
            items = held.items if isinstance(held, Group) and len(held.items) == len(names) else None
            for index, each in enumerate(names):
                if isinstance(each, ast.Name):
                    yield each.id, items[index] if items else (Item(held, index) if held is not None else None)


def _either(options: Iterable[Expression | None]) -> Expression | None:
    known = tuple(o for o in options if o is not None)
    return Either(known) if len(known) > 1 else next(iter(known), None)


def _mentions(node: ast.expr, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) or (isinstance(node, ast.Constant) and isinstance(node.value, int))


def _environment(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """Yield the names of environment variables that are read, with the line."""
    for node in (n for statement in body for n in ast.walk(statement)):
        match node:
            case ast.Call(func=function, args=[ast.Constant(value=str() as name), *_]):
                called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if called in _READERS and _ENVIRONMENT.fullmatch(name):
                    yield name, node.lineno
            case ast.Subscript(value=ast.Attribute(attr="environ"), slice=ast.Constant(value=str() as name)):
                if _ENVIRONMENT.fullmatch(name):
                    yield name, node.lineno
            case ast.Subscript(value=ast.Name(id="environ"), slice=ast.Constant(value=str() as name)):
                if _ENVIRONMENT.fullmatch(name):
                    yield name, node.lineno


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield top-level statements, and those in top-level ``if``, ``try`` and ``with``, but not under the main guard."""
    waiting = list(reversed(list(body)))
    while waiting:
        node = waiting.pop()
        yield node
        inner: list[ast.stmt] = []
        match node:
            case ast.If() if not _is_guard(node):
                inner = [*node.body, *node.orelse]
            case ast.Try():
                handled = [statement for handler in node.handlers for statement in handler.body]
                inner = [*handled, *node.body, *node.orelse, *node.finalbody]
            case ast.With():
                inner = node.body
        waiting.extend(reversed(inner))


def _within(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.If) -> Iterator[ast.AST]:
    """Yield the nodes of a body in order, without those of functions defined inside it."""
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


def _first_text(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=str() as text) | ast.Call(args=[ast.Constant(value=str() as text), *_]):
            return text
    return ""
