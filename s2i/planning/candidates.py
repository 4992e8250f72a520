"""Which names of a source are applications: facts of ``code`` met with the knowledge of a buildpack."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from s2i.planning.code import Code
from s2i.planning.expression import Attribute, Expression, Name, last
from s2i.planning.module import Binding, Module
from s2i.planning.values import App, Framework, Known, Values, WebKind, instance_kind, is_wrapper_name

__all__ = ["Candidate", "Framework", "WebKind", "find"]


class Candidate(msgspec.Struct, frozen=True):
    """A name that holds an application. ``origin`` is where it is made: two names of one object share it.

    ``wraps`` is the origin of the application that it is made around.
    """

    module: str
    name: str
    kind: WebKind
    framework: str
    path: str
    line: int
    origin: str
    factory: bool = False
    imported: bool = False  # made elsewhere: this module only imports it
    wraps: str = ""
    routes: int = 0  # how many modules that hang routes on it are loaded with this one

    @property
    def entry(self) -> str:
        """``module:name``, or ``module:name()`` of a factory."""
        return f"{self.module}:{self.name}{'()' if self.factory else ''}"

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.line}"


def find(code: Code, frameworks: tuple[Framework, ...]) -> tuple[Candidate, ...]:
    """Return every application of ``code``, in the order of modules and lines."""
    return find_in(code, Values(code, frameworks))


def find_in(code: Code, values: Values) -> tuple[Candidate, ...]:
    """Return every application of ``code``, as ``values`` follows its names."""
    found = []
    for module in code.modules.values():
        for binding in sorted(module.bindings.values(), key=lambda b: b.line):
            if binding.name.isascii() and not binding.name.startswith("_"):
                candidate = _candidate(values, module, binding)
                found += [candidate] if candidate else []
        found += _star_imported(values, module)
    mounted = set(_mounted(code, values))
    return _with_routes(code, values, [c for c in found if c.origin not in mounted])


def _with_routes(code: Code, values: Values, found: list[Candidate]) -> tuple[Candidate, ...]:
    """Count, where one object has several names, the modules with routes that importing each name brings in."""
    origins = [c.origin for c in found]
    if not any(c.imported for c in found if origins.count(c.origin) > 1):
        return tuple(found)
    routed: dict[str, set[str]] = {}
    for module in code.modules.values():
        for name in {d.rpartition(".")[0] for b in module.bindings.values() for d in b.decorators if "." in d}:
            app = values.named(name)
            if isinstance(app, App):
                routed.setdefault(app.origin, set()).add(module.name)
    counted = ((c, len(routed.get(c.origin, set()) & _loaded(code, c.module))) for c in found)
    return tuple(msgspec.structs.replace(c, routes=count) for c, count in counted)


def _loaded(code: Code, module: str) -> set[str]:
    """Return the modules of the source that importing ``module`` loads."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in code.modules and name not in seen:
            seen.add(name)
            waiting += [name.rpartition(".")[0], *code.modules[name].imported]
    return seen


def _mounted(code: Code, values: Values) -> Iterator[str]:
    """Yield the origin of each application that is mounted into another: ``app.mount("/api", api)``.

    Bottle's ``merge`` takes routes out of an application, whatever takes them: most often the parameter of a function.
    """
    for module in code.modules.values():
        for site in module.sites:
            how = last(site.called)
            if how not in ("mount", "mount_app", "add_asgi_app", "merge") or not site.names:
                continue
            outer = values.holds(site.called.of if isinstance(site.called, Attribute) else _owner(site.called))
            for name in site.names:
                inner = values.named(name)
                if not isinstance(inner, App):
                    continue
                merged = how == "merge" and inner.framework == "bottle"
                if merged or (isinstance(outer, App) and inner.origin != outer.origin):
                    yield inner.origin


def _owner(called: Expression | None) -> Expression | None:
    return Name(called.dotted.rpartition(".")[0]) if isinstance(called, Name) else None


def _candidate(values: Values, module: Module, binding: Binding) -> Candidate | None:
    value = values.of(module, binding)
    factory = False
    if isinstance(value, Known):
        if binding.form == "def" and not binding.required:
            factory, value = True, values.makes(value)
        elif kind := instance_kind(value):
            value = App(kind, kind, f"{module.name}:{binding.name}")
        elif binding.form == "import" and value.binding.form == "def" and not value.binding.required:
            factory, value = True, values.makes(value)
    if not isinstance(value, App) or not (value.sure or is_wrapper_name(binding.name)):
        return None
    return Candidate(
        module.name, binding.name, value.kind, value.framework, module.path, binding.line, value.origin, factory,
        binding.form == "import", value.wraps if value.wraps != value.origin else "",
    )  # fmt: skip


def _star_imported(values: Values, module: Module) -> list[Candidate]:
    """Return what a package takes over with ``from .core import *``."""
    found: list[Candidate] = []
    for star in module.stars if module.path.endswith("__init__.py") else ():
        source = values.modules.get(star)
        for binding in source.bindings.values() if source else ():
            is_public = binding.name.isascii() and not binding.name.startswith("_")
            made = _candidate(values, source, binding) if source and is_public else None
            if made and made.name not in module.bindings:
                found.append(msgspec.structs.replace(made, module=module.name, path=module.path, line=1, imported=True))
    return found
