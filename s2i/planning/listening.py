"""Which modules listen by themselves when they are run: facts of ``code`` met with the knowledge of a buildpack."""

from __future__ import annotations

import re

import msgspec

from s2i.planning.code import Code
from s2i.planning.expression import Expression, Literal, Name, last
from s2i.planning.module import Module, Site
from s2i.planning.values import Known, Values

_ROUNDS = 6  # how many calls may lie between a script and what serves
_OPTIONS = frozenset({"add_argument", "define", "option", "Option", "add_option", "DEFINE_integer"})
_PORT_OPTIONS = frozenset({"--port", "port"})
_HOST_OPTIONS = frozenset({"--host", "--address", "--bind-address", "address"})


class Listening(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of listening.toml: what it says there."""

    name: str
    package: str
    why: str
    link: str
    imports: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    touches: bool = False
    start: tuple[str, ...] = ()
    env: dict[str, str] = {}
    port: int = 0
    loopback: bool = False


class Listener(msgspec.Struct, frozen=True):
    """A module that serves when it is run. ``line`` is the call that says so.

    ``port`` is the one that is written in the code, 0 when it is not; ``host`` likewise, "" when it is not.
    ``port_option`` and ``host_option`` are its own command-line options for them.
    """

    module: Module
    row: Listening
    line: int
    path: str  # where that line is: often another module
    port: int = 0
    host: str = ""
    port_option: str = ""
    host_option: str = ""
    function: str = ""  # of functions-framework: what is served

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.line}"


Place = tuple[str, str]  # a module's name, and the function in it: "" at the top, "__main__" under the guard


class _Serves(msgspec.Struct, frozen=True):
    row: Listening
    module: Module
    site: Site


class Serving:
    """Which functions of a source serve, directly or by what they call."""

    def __init__(self, code: Code, values: Values, rows: tuple[Listening, ...]) -> None:
        self.code, self.values, self.rows = code, values, rows
        self.places: dict[Place, _Serves] = {}
        self._spread()

    def listeners(self) -> tuple[Listener, ...]:
        """Return the modules that serve when they are run, in the order of modules."""
        found: dict[tuple[str, int], Listener] = {}
        for module in self.code.modules.values():
            serves = self.places.get((module.name, "")) or self.places.get((module.name, "__main__"))
            listener = self._listener(module, serves) if serves else self._touched(module)
            if listener is None:
                continue
            same = found.get((listener.path, listener.line))  # a package's __main__ and what it calls are one server
            if same is None or module.path.endswith("/__main__.py"):
                found[listener.path, listener.line] = listener
        return tuple(found.values())

    def targets(self) -> tuple[tuple[str, str], ...]:
        """Return each "module:name" that the code itself gives to a server as a text, with its ``file:line``."""
        return tuple(
            (site.text, f"{module.path}:{site.line}")
            for module in self.code.modules.values()
            for site in module.sites
            if ":" in site.text and self.values.external(site.called, module) in ("uvicorn.run", "uvicorn.Config")
        )

    def at(self, module: Module, function: str) -> Listener | None:
        """Return how a function serves when it is called, None when it does not."""
        serves = self.places.get((module.name, function))
        return self._listener(module, serves) if serves else None

    def _spread(self) -> None:
        """Find what serves by itself, then what calls it, and so on."""
        callers: dict[Place, list[Place]] = {}
        for module in self.code.modules.values():
            for site in module.sites:
                row = self._row(module, site)
                if row is not None:
                    self.places.setdefault((module.name, site.place), _Serves(row, module, site))
                for target in self._targets(site):
                    callers.setdefault(target, []).append((module.name, site.place))
        news = list(self.places)
        for _ in range(_ROUNDS):
            found = [(caller, place) for place in news for caller in callers.get(place, ())]
            news = []
            for caller, place in found:
                if caller not in self.places:
                    self.places[caller] = self.places[place]
                    news.append(caller)

    def _row(self, module: Module, site: Site) -> Listening | None:
        outside = self.values.external(site.called, module)
        method = last(site.called)
        for row in self.rows:
            if outside and any(_matches(outside, call) for call in row.calls):
                return row
            is_object = not outside or "()" in outside
            if method in row.methods and is_object and (not row.imports or module.imports & set(row.imports)):
                return row
        return None

    def _targets(self, site: Site) -> list[Place]:
        """Return the functions of the source that a call calls, or is given to call."""
        found = [self.values.holds(site.called), *(self.values.named(name) for name in site.names)]
        places = []
        for value in found:
            if isinstance(value, Known):
                owner = f"{value.owner}." if value.owner else ""
                of_class = f"{value.binding.name}.__init__" if value.binding.form == "class" else ""
                places.append((value.module.name, of_class or f"{owner}{value.binding.name}"))
        return places

    def _touched(self, module: Module) -> Listener | None:
        for row in self.rows:
            if not row.touches or not module.imports & set(row.imports):
                continue
            if "{function}" in row.start:
                for binding in module.bindings.values():
                    if any(d.partition(".")[0] in row.imports for d in binding.decorators):
                        return Listener(module, row, binding.line, module.path, function=binding.name)
            elif module.acts or any(s.place == "__main__" for s in module.sites):
                return Listener(module, row, module.acts or module.guard or 1, module.path)
        return None

    def _listener(self, module: Module, serves: _Serves) -> Listener:
        port, host = self._address(serves)
        where = {module.name: module, serves.module.name: serves.module}.values()
        options = [s for m in where for s in m.sites if last(s.called) in _OPTIONS]
        return Listener(
            module, serves.row, serves.site.line, serves.module.path, port, host,
            next((s.text for s in options if s.text in _PORT_OPTIONS), ""),
            next((s.text for s in options if s.text in _HOST_OPTIONS), ""),
        )  # fmt: skip

    def _address(self, serves: _Serves) -> tuple[int, str]:
        """Return the port and the host that are written where the server is made; 0 and "" for what is not."""
        near = [s for s in serves.module.sites if s.place == serves.site.place and s.port is not None]
        near = [serves.site, *near, *(s for s in serves.module.sites if s.port is not None)]
        for site in near:
            port, host = self._literal(site.port), self._literal(site.host)
            if port or host:
                number = (
                    port if isinstance(port, int) else int(port) if port and re.fullmatch(r"[0-9]{1,5}", port) else 0
                )
                return number if 0 < number < 65536 else 0, host if isinstance(host, str) else ""
        return 0, ""

    def _literal(self, expression: Expression | None) -> str | int | None:
        match expression:
            case Literal(value):
                return value
            case Name(dotted):
                module = self.code.modules.get(dotted.rpartition(".")[0])
                binding = module.bindings.get(dotted.rpartition(".")[2]) if module else None
                return binding.value.value if binding and isinstance(binding.value, Literal) else None
        return None


def _matches(outside: str, call: str) -> bool:
    return outside.startswith(call[:-1]) if call.endswith(".*") else outside == call
