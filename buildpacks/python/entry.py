"""Choose the entry: which of the applications in the code is the one to serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from buildpacks.python import django
from buildpacks.python.procfile import Process
from s2i.errors import E_AMBIGUOUS, E_ENTRYPOINT
from s2i.planning.candidates import Candidate
from s2i.planning.code import Code
from s2i.planning.evidence import Evidence, decide
from s2i.planning.ignored import is_aside
from s2i.planning.plan import Decision
from s2i.planning.settings import Given
from s2i.sources import Tree

WRAPPERS = frozenset({"wsgi", "asgi"})
USUAL_MODULES = WRAPPERS | {"app", "main", "application", "server", "run", "index", "api", "web", "autoapp"}
USUAL_NAMES = frozenset({"app", "application", "api", "create_app", "make_app", "get_app", "get_application"})
# A module of such a name hides the package that has to be imported.
SERVERS = frozenset({"gunicorn", "hypercorn", "uvicorn", "flask", "django", "fastapi", "starlette", "wsgiref"})


class Chosen(msgspec.Struct, frozen=True):
    """The application to serve and the decision that names it."""

    candidate: Candidate
    decision: Decision


def choose(
    tree: Tree, code: Code, candidates: Sequence[Candidate], given: Given, processes: tuple[Process, ...]
) -> Chosen | None:
    """Return the application to serve, None when the code has none. Raises E_AMBIGUOUS, E_ENTRYPOINT (exit 4)."""
    if given.settings.entry:
        return _given(tree, code, candidates, given)
    if given.settings.kind:
        candidates = [c for c in candidates if c.kind == given.settings.kind]
    for process in processes:
        named = _named(candidates, process.target) if process.type == "web" and process.target else None
        if named:
            return _chosen(named, Evidence(named.entry, process.where), candidates, "the Procfile names another")
    if by_settings := django.entry(code, candidates):
        named, where = by_settings
        return _chosen(named, Evidence(named.entry, where), candidates, "the Django settings name another")
    return _best(tuple(candidates))


def _given(tree: Tree, code: Code, candidates: Sequence[Candidate], given: Given) -> Chosen | None:
    """Return what s2i.toml names; None when that is a script."""
    entry, where = given.settings.entry, given.where(tree, "entry")
    if entry.endswith(".py"):
        return None
    named = _named(candidates, entry)
    if named is None:
        named = _taken_on_trust(code, entry, given, where)
    elif given.settings.kind in ("wsgi", "asgi"):
        named = msgspec.structs.replace(named, kind=given.settings.kind)
    return _chosen(named, Evidence(entry, where), candidates, f"{given.path} names another")


def _taken_on_trust(code: Code, entry: str, given: Given, where: str) -> Candidate:
    """Return a candidate for a name that the code has, but that was not recognised: then the kind must be said."""
    module, _, name = entry.partition(":")
    found = code.modules.get(module)
    if found is None:
        raise E_ENTRYPOINT(value=entry, why=f"there is no module {module}", where=where)
    binding = found.bindings.get(name.removesuffix("()"))
    if binding is None and not found.stars:
        raise E_ENTRYPOINT(value=entry, why=f"{found.path} binds no such name", where=where)
    if given.settings.kind not in ("wsgi", "asgi"):
        advice = 'add kind = "wsgi" or kind = "asgi" below it'
        raise E_ENTRYPOINT(value=entry, why="its kind cannot be told from the code", where=where, advice=advice)
    kind, line = given.settings.kind, binding.line if binding else 1
    plain = name.removesuffix("()")
    return Candidate(module, plain, kind, kind, found.path, line, entry, name.endswith("()"))


def _named(candidates: Sequence[Candidate], entry: str) -> Candidate | None:
    return next((c for c in candidates if c.entry.removesuffix("()") == entry.removesuffix("()")), None)


def _chosen(named: Candidate, evidence: Evidence, candidates: Sequence[Candidate], against: str) -> Chosen:
    others = [Evidence(c.entry, c.where, "likely", against) for c in _groups(candidates) if c.origin != named.origin]
    return Chosen(named, decide("entry", [evidence, *others]))


def _groups(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best name of each application: one object is often seen under several names."""
    best: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=_name_rank, reverse=True):
        best.setdefault(candidate.origin, candidate)
    return list(best.values())


def _name_rank(c: Candidate) -> tuple[bool, ...]:
    """Rank two names of one object: wsgi.py before the module it imports, the module before who only imports it."""
    last = c.module.rpartition(".")[2]
    return (not is_aside(c.path), last in WRAPPERS, not c.imported, not c.factory, last in USUAL_MODULES)


# How two applications are ranked, most telling first, and what is said of the one that loses by it.
_RULES: tuple[tuple[Callable[[Candidate], int], str], ...] = (
    (lambda c: c.module.partition(".")[0] not in SERVERS, "its module hides a package that has to be imported"),
    (lambda c: not is_aside(c.path), "it stands among examples, documentation or scripts"),
    (lambda c: -min(_depth(c), 3), "it stands deeper in the tree"),
    (lambda c: c.module.rpartition(".")[2] in USUAL_MODULES or _is_package(c), "its module has a less usual name"),
    (lambda c: c.name in USUAL_NAMES, "its name is less usual"),
    (lambda c: not c.factory, "it is a factory"),
)


def _best(candidates: Sequence[Candidate]) -> Chosen | None:
    ranked = sorted(_groups(candidates), key=lambda c: tuple(rule(c) for rule, _ in _RULES), reverse=True)
    if not ranked:
        return None
    first, *others = ranked
    seen = [Evidence(first.entry, first.where, "strong" if not others else "likely")]
    for other in others:
        why = next((text for rule, text in _RULES if rule(first) != rule(other)), "")
        if not why:
            equal = [c for c in ranked if all(rule(c) == rule(first) for rule, _ in _RULES)]
            lines = [f"{c.entry} ({c.kind}, {c.framework}) in {c.where}" for c in equal]
            raise E_AMBIGUOUS(what="application", candidates=lines, line=f'entry = "{first.entry}"')
        seen.append(Evidence(other.entry, other.where, "weak", why))
    return Chosen(first, decide("entry", seen))


def _depth(c: Candidate) -> int:
    return c.module.count(".") + _is_package(c)


def _is_package(c: Candidate) -> bool:
    return c.path.endswith("/__init__.py")
