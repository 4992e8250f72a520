"""What the names of a source hold: expressions followed through imports, functions, classes and wrappers.

Nothing is run. What cannot be told is None.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from s2i.planning.code import Code
from s2i.planning.expression import Attribute, Call, Either, Expression, Group, Item, Name
from s2i.planning.expression import Literal as Constant
from s2i.planning.module import Binding, Module

WebKind = Literal["wsgi", "asgi"]
_HOPS = 24
_STARS = 100  # modules that one name is looked for in, through their star imports
# `Migrate(app)` and `SQLAlchemy(app)` take an application and are none: a wrapper has the name of what it wraps.
_WRAPPER_NAMES = frozenset({"app", "application", "asgi", "wsgi", "asgi_app", "wsgi_app", "asgi_application"})


class Framework(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of frameworks.toml: calling (or subclassing) one of ``calls`` makes an application of ``kind``.

    ``wraps``: it is made around another application, and speaks for it. ``item``: the call returns several things,
    of which this one is the application. ``attribute``: the application is this attribute of what is returned.
    ``versions``: only of these versions of the package. ``objects`` are applications that the package has ready.
    """

    name: str
    kind: WebKind
    package: str
    calls: tuple[str, ...] = ()
    wraps: bool = False
    item: int = -1
    attribute: str = ""
    versions: str = ""
    objects: tuple[str, ...] = ()


class App(msgspec.Struct, frozen=True):
    """An application. ``origin`` is where it is made ("" when that is where it is looked at).

    ``wraps`` is the origin of the application inside; ``sure`` is False for a wrapper that nobody knows.
    """

    kind: WebKind
    framework: str
    origin: str = ""
    wraps: str = ""
    sure: bool = True


class Holder(msgspec.Struct, frozen=True):
    """What holds an application in an item or an attribute of its own."""

    framework: Framework
    origin: str = ""


class Known(msgspec.Struct, frozen=True):
    """A function, class or module-level name of this source; ``bound``: an instance of the class, not the class."""

    module: Module
    binding: Binding
    owner: str = ""  # the class that a method belongs to
    bound: bool = False


class Several(msgspec.Struct, frozen=True):
    """A tuple whose items are looked at one by one."""

    items: tuple[Expression | None, ...]


Value = App | Holder | Known | Several


class Values:
    """Answers what names and expressions of one source hold."""

    def __init__(self, code: Code, frameworks: tuple[Framework, ...]) -> None:
        self.modules = code.modules
        self.calls = {call: f for f in frameworks for call in f.calls}
        self.objects = {made: f for f in frameworks for made in f.objects}
        self._memory: dict[str, Value | None] = {}

    def of(self, module: Module, binding: Binding, hops: int = 0) -> Value | None:
        """Return what a name of ``module`` holds."""
        here = f"{module.name}:{binding.name}"
        match binding.form:
            case "import":
                return self.named(binding.target, hops + 1)
            case "value":
                found = self.holds(binding.value, hops + 1)
                if found is None and binding.earlier is not None:
                    return self.of(module, binding.earlier, hops + 1)
                return _made_at(found, here)
            case "def" if _is_wsgi(binding.required):
                return App("wsgi", "wsgi", here)
            case "async def" if binding.required == ("scope", "receive", "send"):
                return App("asgi", "asgi", here)
        return Known(module, binding)

    def named(self, dotted: str, hops: int = 0) -> Value | None:
        """Return what a dotted name holds, wherever in the source its first part leads to."""
        if hops > _HOPS:
            return None
        if dotted in self._memory:
            return self._memory[dotted]
        self._memory[dotted] = None  # a circle ends here
        found = self._memory[dotted] = self._named(dotted, hops)
        return found

    def holds(self, expression: Expression | None, hops: int = 0) -> Value | None:
        """Return what an expression holds."""
        if hops > _HOPS:
            return None
        match expression:
            case Name(dotted):
                return self.named(dotted, hops + 1)
            case Call():
                return self._called(expression, hops + 1)
            case Attribute(of, name):
                return self._attribute(self.holds(of, hops + 1), name, hops + 1)
            case Item(of, index):
                return self._item(self.holds(of, hops + 1), index, hops + 1)
            case Group(items):
                return Several(items)
            case Either(options):
                found = [self.holds(o, hops + 1) for o in options]
                return next((f for f in found if isinstance(f, App)), next((f for f in found if f), None))
            case Constant() | None:
                return None

    def makes(self, known: Known, hops: int = 0) -> Value | None:
        """Return what calling a function of the source returns: an application, if it can be one."""
        binding, here = known.binding, f"{known.module.name}:{known.binding.name}()"
        key = f"{known.owner}.{here}"
        if key not in self._memory:
            self._memory[key] = None  # functions that call each other end here
            self._memory[key] = self._returned(binding, here, hops)
        return self._memory[key]

    def _returned(self, binding: Binding, here: str, hops: int) -> Value | None:
        found = [self.holds(made, hops + 1) for made in binding.makes]
        best = next((f for f in found if isinstance(f, App)), next((f for f in found if f), None))
        return _made_at(best, here)

    def external(self, expression: Expression | None, module: Module, hops: int = 0) -> str:
        """Return the dotted name of what is called, outside of the source: "aiohttp.web.run_app".

        A method of an object is written "fastmcp.FastMCP().run". "" when it is not of another distribution.
        """
        if hops > _HOPS:
            return ""
        match expression:
            case Name(dotted):
                return self._external_name(dotted, module, hops)
            case Call(function=function):
                inner = self.external(function, module, hops + 1)
                return f"{inner}()" if inner else ""
            case Attribute(of, name):
                inner = self.external(of, module, hops + 1)
                return f"{inner}.{name}" if inner else ""
        return ""

    # Names --------------------------------------------------------------------------------------------------

    def _named(self, dotted: str, hops: int) -> Value | None:
        module, binding, rest = self._binding(dotted)
        if module is None or binding is None:
            ready = self.objects.get(dotted)
            return App(ready.kind, ready.name, dotted) if ready else None
        if binding.form == "import" and rest and (ready := self.objects.get(".".join([binding.target, *rest]))):
            return App(ready.kind, ready.name, ready.objects[0])
        found = self.of(module, binding, hops + 1)
        for name in rest:
            found = self._attribute(found, name, hops + 1)
        return found

    def _binding(self, dotted: str) -> tuple[Module | None, Binding | None, list[str]]:
        """Return the module and the binding that a dotted name begins with, and the attributes behind it."""
        dotted, _, history = dotted.partition("#")
        depth, _, behind = history.partition(".")
        parts = dotted.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            module = self.modules.get(".".join(parts[:cut]))
            if module is None:
                continue
            name, rest = parts[cut], [*parts[cut + 1 :], *(behind.split(".") if behind else [])]
            if binding := module.bindings.get(name):
                return module, _back_to(binding, int(depth)) if depth else binding, rest
            return (*self._starred(module, name), rest)
        return None, None, []

    def _starred(self, module: Module, name: str) -> tuple[Module | None, Binding | None]:
        """Return what a name is that a module takes over with a star, from however far: each module is asked once."""
        waiting, seen = list(module.stars), {module.name}
        while waiting and len(seen) < _STARS:
            star = waiting.pop(0)
            source = self.modules.get(star)
            if source is None or star in seen:
                continue
            seen.add(star)
            if binding := source.bindings.get(name):
                return source, binding
            waiting += source.stars
        return None, None

    def _external_name(self, dotted: str, module: Module, hops: int) -> str:
        owner, binding, rest = self._binding(dotted)
        if owner is None or binding is None:
            inside = dotted.removeprefix(f"{module.name}.")
            if inside != dotted:
                if "." in inside:
                    return ""
                outside = [s for s in module.stars if s.partition(".")[0] not in self.modules]
                return f"{outside[0]}.{inside}" if len(outside) == 1 else ""
            return "" if dotted.rpartition(".")[0] in self.modules else dotted
        tail = "".join(f".{name}" for name in rest)
        if binding.form == "import":
            inner = self._external_name(binding.target, owner, hops + 1) if hops < _HOPS else ""
            return f"{inner}{tail}" if inner else ""
        if binding.form == "value" and rest:
            inner = self.external(binding.value, owner, hops + 1)
            return f"{inner}{tail}" if inner else ""
        return ""

    # Calls, attributes, items -------------------------------------------------------------------------------

    def _called(self, call: Call, hops: int) -> Value | None:
        row = self._row(call.function)
        if row is not None:
            return self._framework(row, call, hops)
        callee = self.holds(call.function, hops)
        match callee:
            case Known(bound=False) if callee.binding.form == "class":
                subclass = self._subclass(callee, hops)
                return App(subclass.kind, subclass.name) if subclass else msgspec.structs.replace(callee, bound=True)
            case Known(bound=False) if callee.binding.form == "def":
                return self.makes(callee, hops)
            case App(wraps="") if not callee.origin:
                return callee
        return self._wrapper(call, hops) if callee is None else None

    def _row(self, function: Expression | None, hops: int = 0) -> Framework | None:
        """Return the row of what is called, by whatever name it was imported."""
        if not isinstance(function, Name) or hops > _HOPS:
            return None
        if row := self.calls.get(function.dotted):
            return row
        module, binding, rest = self._binding(function.dotted)
        if module is None or binding is None:  # `from fasthtml.common import *`
            name = function.dotted.rpartition(".")
            own = self.modules.get(name[0])
            rows = (self.calls.get(f"{star}.{name[2]}") for star in (own.stars if own else ()))
            return next((row for row in rows if row), None)
        if binding.form == "import" and not rest:
            return self._row(Name(binding.target), hops + 1)
        return self.calls.get(self._external_name(function.dotted, module, 0)) if rest else None

    def _framework(self, row: Framework, call: Call, hops: int) -> Value:
        if row.item >= 0 or row.attribute:
            return Holder(row)
        inside = self._inside(call.arguments, hops)
        name = inside.framework if inside and row.wraps else row.name
        return App(row.kind, name, "", inside.origin if inside else "")

    def _inside(self, given: tuple[Expression | None, ...], hops: int) -> App | None:
        """Return the application that a call is given: as an argument, or inside of one, as in routes=[Mount(app)]."""
        for argument in given if hops <= _HOPS else ():
            found = self.holds(argument, hops + 1) if isinstance(argument, Name | Call | Attribute) else None
            if isinstance(found, App):
                return found
            deeper = argument.items if isinstance(argument, Group) else ()
            deeper = argument.arguments if isinstance(argument, Call) and found is None else deeper
            if deeper and (inner := self._inside(deeper, hops + 4)):
                return inner
        return None

    def _wrapper(self, call: Call, hops: int) -> App | None:
        """Say what a call of something unknown makes: when it is given an application first, one around it."""
        inside = self.holds(call.arguments[0], hops + 1) if call.arguments else None
        if not isinstance(inside, App):
            return None
        return App(inside.kind, inside.framework, "", inside.origin or "?", sure=False)

    def _subclass(self, known: Known, hops: int) -> Framework | None:
        """Return the framework that a class of the source is a subclass of."""
        for base in known.binding.bases if hops <= _HOPS else ():
            if row := self._row(Name(base)):
                return row
            found = self.named(base, hops + 1)
            if isinstance(found, Known) and found.binding.form == "class" and (row := self._subclass(found, hops + 2)):
                return row
        return None

    def _attribute(self, value: Value | None, name: str, hops: int) -> Value | None:
        match value:
            case Holder(framework) if framework.attribute == name:
                return App(framework.kind, framework.name, value.origin)
            case App() if name in ("wsgi_app", "asgi_app"):
                return value
            case Known(binding=binding) if binding.form == "class":
                if method := binding.methods.get(name):
                    return Known(value.module, method, binding.name)
                held = self.holds(binding.attributes.get(name), hops + 1)
                return _made_at(held, f"{value.module.name}:{binding.name}.{name}")
        return None

    def _item(self, value: Value | None, index: int, hops: int) -> Value | None:
        match value:
            case Holder(framework) if framework.item == index:
                return App(framework.kind, framework.name, value.origin)
            case Several(items) if index < len(items):
                return self.holds(items[index], hops + 1)
        return None


def instance_kind(value: Known) -> WebKind | None:
    """Say what an instance of a class of the source is when it is called: a raw application of this kind."""
    call = value.binding.methods.get("__call__") if value.bound else None
    if call is None:
        return None
    if call.form == "async def" and call.required[1:] == ("scope", "receive", "send"):
        return "asgi"
    return "wsgi" if _is_wsgi(call.required[1:]) else None


def is_wrapper_name(name: str) -> bool:
    """Say whether something unknown that is made around an application, and has this name, is one itself."""
    return name in _WRAPPER_NAMES


def _is_wsgi(required: tuple[str, ...]) -> bool:
    first = [r.strip("_") for r in required]
    return len(first) == 2 and (first[0] in ("environ", "env") or (first[0] == "e" and first[1].startswith("s")))


def _made_at(value: Value | None, here: str) -> Value | None:
    if isinstance(value, App | Holder) and not value.origin:
        return msgspec.structs.replace(value, origin=here)
    return value


def _back_to(binding: Binding, depth: int) -> Binding:
    """Return what a name was bound to the ``depth``-th time."""
    history = [binding]
    while history[-1].earlier is not None:
        history.append(history[-1].earlier)
    return history[max(0, len(history) - depth)]
