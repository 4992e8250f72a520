"""Choose among the WSGI and ASGI applications of a source: which one is served."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from s2i.errors import E_AMBIGUOUS
from s2i.planning.candidates import Candidate
from s2i.planning.evidence import Evidence, decide
from s2i.planning.ignored import is_aside
from s2i.planning.plan import Decision

WRAPPERS = frozenset({"wsgi", "asgi"})
USUAL_MODULES = WRAPPERS | {
    "app",
    "main",
    "application",
    "server",
    "run",
    "index",
    "api",
    "web",
    "autoapp",
    "passenger_wsgi",
}
USUAL_NAMES = frozenset({"app", "application", "api", "server", "create_app", "make_app", "get_app", "get_application"})
# Modules that make the application for another program than a server: alembic's env.py, a worker of Celery or RQ.
_BESIDE = frozenset({"celery", "worker", "workers", "task", "tasks", "beat", "rq", "huey", "env"})
# A module of such a name hides the package that has to be imported.
SERVERS = frozenset({"gunicorn", "hypercorn", "uvicorn", "flask", "django", "fastapi", "starlette", "wsgiref"})
Hint = Callable[[str], str]  # an entry: where the source's own files name it, "" for nowhere
README = "README.md"  # of all these files, the one that speaks of development as well


class Chosen(msgspec.Struct, frozen=True):
    """The application to serve and the decision that names it."""

    candidate: Candidate
    decision: Decision


def named(candidates: Sequence[Candidate], entry: str) -> Candidate | None:
    """Return the candidate that is called ``entry``, with or without the parentheses of a factory."""
    plain = entry.partition("(")[0]
    return next((c for c in candidates if c.entry.removesuffix("()") == plain), None)


def chosen(candidate: Candidate, evidence: Evidence, candidates: Sequence[Candidate], against: str) -> Chosen:
    """Return the choice that something declared makes; the other applications lose because of ``against``."""
    others = [
        Evidence(c.entry, c.where, "likely", against)
        for c in _groups(candidates, lambda _: "")
        if c.origin != candidate.origin
    ]
    return Chosen(candidate, decide("entry", [evidence, *others]))


def best(candidates: Sequence[Candidate], hint: Hint) -> Chosen | None:
    """Return the application that the code itself makes the most of, None when there is none.

    ``hint`` says which of several names of one application is served; of two applications it is asked only when nothing
    else tells them apart. Raises E_AMBIGUOUS (exit 4).
    """
    wrapped = {c.wraps for c in candidates if c.wraps and not is_aside(c.path)}
    inside = [c for c in candidates if c.origin in wrapped]
    ranked = sorted(_groups([c for c in candidates if c not in inside], hint), key=rank, reverse=True)
    if not ranked:
        return None
    equal = [c for c in ranked if rank(c) == rank(ranked[0])]
    if len(equal) > 1:
        hinted = [c for c in equal if hint(c.entry)]
        if len(hinted) != 1:
            lines = [f"{c.entry} ({c.kind}, {c.framework}) in {c.where}" for c in equal]
            raise E_AMBIGUOUS(what="application", candidates=lines, line=f'entry = "{equal[0].entry}"')
        ranked.remove(hinted[0])
        ranked.insert(0, hinted[0])
    first, *others = ranked
    seen = [Evidence(first.entry, first.where, "strong" if not others else "likely")]
    seen += [Evidence(other.entry, other.where, "weak", _why_not(first, other, hint)) for other in others]
    seen += [Evidence(c.entry, c.where, "weak", f"{first.entry} is made around it") for c in _groups(inside, hint)]
    return Chosen(first, decide("entry", seen))


def _groups(candidates: Sequence[Candidate], hint: Hint) -> list[Candidate]:
    """Return the best name of each application: one object is often seen under several names."""
    names: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        names.setdefault(candidate.origin, []).append(candidate)
    return [max(same, key=lambda c: _name_rank(c, hint)) if same[1:] else same[0] for same in names.values()]


def _name_rank(c: Candidate, hint: Hint) -> tuple[int, ...]:
    """Rank two names of one object: wsgi.py before the module it imports, the module before who only imports it.

    Unless who imports it brings in routes that nobody else does, or the source's own files say what is started.
    """
    last = c.module.rpartition(".")[2]
    return (
        not is_aside(c.path),
        hint(c.entry) not in ("", README),
        last in WRAPPERS,
        c.routes,
        _is_public(c),
        not c.imported,
        _BESIDE.isdisjoint(last.split("_")),
        _place(c),
        last in USUAL_MODULES,
    )


def _place(c: Candidate) -> int:
    """Rank where an application is made: an object before its factory, unless only the factory stands where it should.

    `app = create_app()` deep in a package is most often for one purpose: a shell, a test, a task.
    """
    is_usual = c.module.rpartition(".")[2] in USUAL_MODULES or _is_package(c)
    if c.factory:
        return 2 if is_usual else 0
    return 3 if is_usual or not _depth(c) else 1


# How two applications are ranked, most telling first, and what is said of the one that loses by it.
_RULES: tuple[tuple[Callable[[Candidate], int], str], ...] = (
    (lambda c: c.module.partition(".")[0] not in SERVERS, "its module hides a package that has to be imported"),
    (lambda c: not is_aside(c.path), "it stands among examples, documentation or scripts"),
    (lambda c: -min(_depth(c), 3), "it stands deeper in the tree"),
    (lambda c: c.module.rpartition(".")[2] in USUAL_MODULES or _is_package(c), "its module has a less usual name"),
    (lambda c: c.name in USUAL_NAMES, "its name is less usual"),
    (lambda c: not c.factory, "it is a factory"),
)


def rank(c: Candidate) -> tuple[int, ...]:
    """Return how much speaks for a candidate: larger is better."""
    return tuple(int(rule(c)) for rule, _ in _RULES)


def _why_not(first: Candidate, other: Candidate, hint: Hint) -> str:
    text = next((text for rule, text in _RULES if rule(first) != rule(other)), "")
    return text or f"{hint(first.entry)} names {first.entry}"


def _depth(c: Candidate) -> int:
    return c.path.removeprefix("src/").count("/")


def _is_public(c: Candidate) -> bool:
    """Say whether a package hands out under its own name what one of its modules makes."""
    return _is_package(c) and c.origin.startswith(f"{c.module}.")


def _is_package(c: Candidate) -> bool:
    return c.path.endswith("/__init__.py")
