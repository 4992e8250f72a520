"""Which names of a source are applications: facts of ``code`` met with the knowledge of a buildpack."""

from __future__ import annotations

from typing import Literal

import msgspec

from s2i.planning.code import Code
from s2i.planning.module import Binding, Module

WebKind = Literal["wsgi", "asgi"]
_HOPS = 40
_STARS = 100  # modules that one name is looked for in, through their star imports


class Framework(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of frameworks.toml: calling (or subclassing) one of ``calls`` makes an application of ``kind``."""

    name: str
    kind: WebKind
    package: str
    calls: tuple[str, ...]


class Candidate(msgspec.Struct, frozen=True):
    """A name that holds an application. ``origin`` is where it is made: two names of one object share it."""

    module: str
    name: str
    kind: WebKind
    framework: str
    path: str
    line: int
    origin: str
    factory: bool = False
    imported: bool = False  # made elsewhere: this module only imports it

    @property
    def entry(self) -> str:
        """``module:name``, or ``module:name()`` of a factory."""
        return f"{self.module}:{self.name}{'()' if self.factory else ''}"

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.line}"


class _Made(msgspec.Struct, frozen=True):
    kind: WebKind
    framework: str
    origin: str


def find(code: Code, frameworks: tuple[Framework, ...]) -> tuple[Candidate, ...]:
    """Return every application of ``code``, in the order of modules and lines."""
    return _Finder(code, frameworks).find()


class _Finder:
    def __init__(self, code: Code, frameworks: tuple[Framework, ...]) -> None:
        self.modules = code.modules
        self.calls = {call: f for f in frameworks for call in f.calls}
        self.made: dict[str, _Made | None] = {}
        self.tried: set[str] = set()

    def find(self) -> tuple[Candidate, ...]:
        found = []
        for module in self.modules.values():
            for binding in sorted(module.bindings.values(), key=lambda b: b.line):
                if candidate := self._candidate(module, binding):
                    found.append(candidate)
        return tuple(found)

    def _candidate(self, module: Module, binding: Binding) -> Candidate | None:
        factory = False
        self.tried = set()
        made = self._value(module, binding, 0)
        if made is None and binding.form == "def" and not binding.required:
            factory = True
            made = self._makes(binding.target, 0)
        if made is None:  # what was tried on the way makes nothing either, also where it leads back to itself
            self.made.update(dict.fromkeys(self.tried))
        if made is None or not binding.name.isascii() or binding.name.startswith("__"):
            return None
        return Candidate(
            module.name, binding.name, made.kind, made.framework, module.path, binding.line, made.origin, factory,
            binding.form == "import",
        )  # fmt: skip

    def _value(self, module: Module, binding: Binding, hops: int) -> _Made | None:
        """Say what application a name holds, if it holds one."""
        here = f"{module.name}:{binding.name}"
        match binding.form:
            case "call":
                made = self._makes(binding.target, hops + 1)
                return made and msgspec.structs.replace(made, origin=made.origin or here)
            case "name" | "import" if binding.target:
                return self._look_up(binding.target, hops + 1)
            case "def" if binding.name in ("application", "app") and _is_wsgi(binding):
                return _Made("wsgi", "wsgi", here)
            case "async def" if binding.required == ("scope", "receive", "send"):
                return _Made("asgi", "asgi", here)
        return None

    def _look_up(self, dotted: str, hops: int) -> _Made | None:
        module, binding = self._binding(dotted, hops)
        return self._value(module, binding, hops) if module and binding else None

    def _makes(self, dotted: str, hops: int) -> _Made | None:
        """Say what application comes out of calling ``dotted``. Each name is followed once: they lead to each other."""
        if dotted in self.made or dotted in self.tried:
            return self.made.get(dotted)
        self.tried.add(dotted)
        if made := self._made_by(dotted, hops):
            self.made[dotted] = made
        return made

    def _made_by(self, dotted: str, hops: int) -> _Made | None:
        """Follow ``dotted``: a known class, a subclass, a factory of the source."""
        if known := self.calls.get(dotted):
            return _Made(known.kind, known.name, "")
        module, binding = self._binding(dotted, hops)
        if binding is None or module is None or hops > _HOPS:
            return None
        match binding.form:
            case "class" | "import":
                return self._makes(binding.target, hops + 1)
            case "def":
                for target in binding.makes:
                    if target and (made := self._makes(target, hops + 1)):
                        return msgspec.structs.replace(made, origin=made.origin or f"{module.name}:{binding.name}()")
        return None

    def _binding(self, dotted: str, hops: int) -> tuple[Module | None, Binding | None]:
        """Return the module and the binding that a dotted name means; both None when it is not of this source."""
        name, _, attribute = dotted.rpartition(".")
        module = self.modules.get(name)
        if module is None or hops > _HOPS:
            return None, None
        if binding := module.bindings.get(attribute):
            return module, binding
        return self._through_stars(module, attribute)

    def _through_stars(self, module: Module, attribute: str) -> tuple[Module | None, Binding | None]:
        """Look for a name in what ``module`` star-imports, and in what that does, each module once."""
        todo, seen = list(module.stars), set[str]()
        for star in todo:
            if star in seen or not (inner := self.modules.get(star)):
                continue
            seen.add(star)
            if binding := inner.bindings.get(attribute):
                return inner, binding
            if len(seen) < _STARS:
                todo += inner.stars
        return None, None


def _is_wsgi(binding: Binding) -> bool:
    return len(binding.required) == 2 and binding.required[0].lstrip("_") in ("environ", "env", "e")
