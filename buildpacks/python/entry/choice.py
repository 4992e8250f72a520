"""The order in which entries are looked for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence

import msgspec

from buildpacks.python.entry import applications, library, listeners, scripts
from buildpacks.python.entry.declared import Declared
from buildpacks.python.manifest import Manifest
from s2i.errors import E_CONFIG, E_ENTRYPOINT, E_PY_SYNTAX, S2IError
from s2i.planning.candidates import Candidate, WebKind, find_in
from s2i.planning.code import Code
from s2i.planning.evidence import Evidence, decide
from s2i.planning.ignored import is_aside
from s2i.planning.listening import Listener, Serving
from s2i.planning.plan import AppKind, Decision, Process
from s2i.planning.settings import Given
from s2i.planning.values import Framework, Values
from s2i.sources import Notice, Tree

NOTEBOOK = ("nbclient", "ipykernel")  # `jupyter execute`, and the kernel that it starts
# Files that name what a source starts with, in the order in which they are believed.
_FILE_HINTS = (
    "Dockerfile", "docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml", "render.yaml",
    "railway.json", "railway.toml", "fly.toml", "nixpacks.toml", "Makefile", "start.sh", "run.sh", applications.README,
)  # fmt: skip


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What runs. ``app`` is served by a server of ours; ``start`` is the command of everything else."""

    kind: AppKind
    framework: str
    entry: str
    decision: Decision
    app: Candidate | None = None
    start: tuple[str, ...] = ()
    port: int | None = None
    package: str = ""  # the distribution that serves by itself
    root: str = ""  # the folder that the entry is imported from
    needs: tuple[str, ...] = ()  # what has to be installed to run it, beside what the source asks for
    needs_project: bool = False  # the entry is a console script of the project itself
    processes: tuple[Process, ...] = ()
    server_options: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    candidates: tuple[Candidate, ...] = ()  # all applications that were seen

    @property
    def module(self) -> str:
        """The dotted name of the module that is loaded first."""
        return self.app.module if self.app else self.entry.removesuffix(".py").replace("/", ".")


class _Looker(msgspec.Struct, frozen=True):
    tree: Tree
    code: Code
    given: Given
    manifest: Manifest
    candidates: tuple[Candidate, ...]
    serving: Serving
    declared: Declared


def choose(
    tree: Tree, code: Code, given: Given, manifest: Manifest, declared: Declared, frameworks: tuple[Framework, ...]
) -> Choice:
    """Return what runs. Raises E_AMBIGUOUS, E_ENTRYPOINT, E_NO_ENTRY, E_PY_SYNTAX (exit 4)."""
    values = Values(code, frameworks)
    candidates = find_in(code, values)
    if library.is_one(tree, manifest) and not given.settings.entry:
        roots = {module.path: module.root for module in code.modules.values()}
        candidates = tuple(c for c in candidates if library.owns(tree, c.path, roots[c.path]))
    if given.settings.kind in ("wsgi", "asgi") and not given.settings.entry:
        candidates = _of_kind(tree, given, candidates)
    serving = Serving(code, values, listeners.rows(code))
    candidates = (*candidates, *_said_to_a_server(code, serving, candidates))
    look = _Looker(tree, code, given, manifest, candidates, serving, declared)
    made = _chosen(look)
    notices = (*made.notices, *look.declared.notices(made.decision.origin))
    module = code.modules.get(made.app.module) if made.app else None
    root = module.root if module else ""
    return msgspec.structs.replace(
        made, processes=look.declared.processes, notices=notices, root=root, candidates=candidates
    )


def _of_kind(tree: Tree, given: Given, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Return the applications of the kind that s2i.toml wants. Raises E_CONFIG when there are only others."""
    kind = given.settings.kind
    found = tuple(c for c in candidates if c.kind == kind)
    if candidates and not found:
        other = candidates[0]
        why = f'kind is "{kind}", but {other.entry} ({other.where}) is {other.kind}'
        raise E_CONFIG(why=why, where=given.where(tree, "kind"), advice="leave the line out, or name another entry")
    return found


def _chosen(look: _Looker) -> Choice:
    settings = look.given.settings
    if settings.start:
        return _started(look)
    if settings.entry:
        return _given(look)
    if settings.kind == "job":
        _refuse_broken(look)
        return _script(look)
    if settings.kind != "http" and (found := _declared(look) or _django(look)):
        return found
    return _from_code(look)


def _from_code(look: _Looker) -> Choice:
    """Take what the code makes the most of: an application, or a script that listens by itself."""
    listening = sorted(look.serving.listeners(), key=_listener_rank, reverse=True)
    candidates = look.candidates if look.given.settings.kind != "http" else ()
    by_path = {k.module.path for k in listening}
    candidates = tuple(c for c in candidates if not _is_part(c, by_path))
    if library.is_one(look.tree, look.manifest):
        listening = [k for k in listening if library.owns(look.tree, k.module.path, k.module.root)]
        listening = [k for k in listening if "/" in k.module.path]
    if candidates and listening:
        first = max(candidates, key=applications.rank)
        by_itself = [k for k in listening if k.row.package and k.row.name not in ("flask", "dash", first.framework)]
        # An application at the root is served before what listens deeper; else what stands further out wins.
        if by_itself and _listener_rank(by_itself[0])[:2] > (not is_aside(first.path), -first.path.count("/")):
            candidates = ()
    if (best := applications.best(candidates, lambda entry: hint(look.tree, entry))) is not None:
        return _app(best)
    if listening:
        return _listener(look, listening)
    if declared_http := _declared_http(look):
        return declared_http
    _refuse_broken(look)
    return _script(look)


def _is_part(c: Candidate, listening: set[str]) -> bool:
    """Say whether a bare function with a name of its own only serves inside of the server that its module starts."""
    return c.framework in ("wsgi", "asgi") and c.name not in applications.USUAL_NAMES and c.path in listening


def _said_to_a_server(code: Code, serving: Serving, known: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Return what the code gives to a server by name, though nobody knows what makes it."""
    found = (_trusted(code, entry, "asgi", where) for entry, where in serving.targets())
    return tuple(c for c in found if c and not applications.named(known, c.entry))


def _trusted(code: Code, entry: str, kind: WebKind, where: str) -> Candidate | None:
    """Return a name of the code that was not recognised, but that somebody says is an application."""
    module, _, name = entry.partition(":")
    plain = name.removesuffix("()")
    found = code.modules.get(module)
    binding = found.bindings.get(plain) if found else None
    if found is None or not (plain.isidentifier() and plain.isascii()) or (binding is None and not found.stars):
        return None
    line = binding.line if binding else 1
    return Candidate(module, plain, kind, kind, found.path, line, where, name.endswith("()"))


def _started(look: _Looker) -> Choice:
    settings = look.given.settings
    where = look.given.where(look.tree, "start")
    kind: AppKind = settings.kind or "http"
    entry = settings.entry or settings.start[0]
    port = None if kind == "job" else settings.port or listeners.PORT
    return Choice(
        kind=kind, framework="command", entry=entry, start=settings.start, port=port,
        decision=Decision("entry", " ".join(settings.start), where), needs_project=entry in look.manifest.scripts,
    )  # fmt: skip


def _given(look: _Looker) -> Choice:
    """Return what s2i.toml names: an object, or a script."""
    entry, where = look.given.settings.entry, look.given.where(look.tree, "entry")
    if ":" not in entry:
        if entry not in look.tree:
            raise E_ENTRYPOINT(value=entry, why="there is no such file", where=where)
        decision = Decision("entry", entry, where)
        if entry.endswith(".ipynb"):
            start = ("jupyter", "execute", entry)
            return Choice(kind="job", framework="notebook", entry=entry, start=start, decision=decision, needs=NOTEBOOK)
        listener = next((k for k in look.serving.listeners() if k.module.path == entry), None)
        if listener and look.given.settings.kind != "job":
            return _served(look, listener, decision)
        kind: AppKind = "http" if look.given.settings.kind == "http" else "job"
        port = None if kind == "job" else look.given.settings.port or listeners.PORT
        return Choice(
            kind=kind, framework="script", entry=entry, start=listeners.run(entry), decision=decision, port=port
        )
    named = applications.named(look.candidates, entry) or _taken_on_trust(look, entry, where)
    if look.given.seen or entry.endswith("()"):
        named = msgspec.structs.replace(named, factory=entry.endswith("()"))
    if look.given.settings.kind in ("wsgi", "asgi"):
        named = msgspec.structs.replace(named, kind=look.given.settings.kind)
    return _app(applications.chosen(named, Evidence(entry, where), look.candidates, f"{look.given.path} names another"))


def _taken_on_trust(look: _Looker, entry: str, where: str) -> Candidate:
    """Return a candidate for a name that the code has, but that was not recognised: then the kind must be said."""
    module, _, name = entry.partition(":")
    found = look.code.modules.get(module)
    if found is None:
        raise E_ENTRYPOINT(value=entry, why=f"there is no module {module}", where=where)
    plain = name.removesuffix("()")
    binding = found.bindings.get(plain)
    if binding is None and not found.stars:
        raise E_ENTRYPOINT(value=entry, why=f"{found.path} binds no such name", where=where)
    kind = look.given.settings.kind
    if kind not in ("wsgi", "asgi"):
        advice = 'add kind = "wsgi" or kind = "asgi" below it'
        raise E_ENTRYPOINT(value=entry, why="its kind cannot be told from the code", where=where, advice=advice)
    line = binding.line if binding else 1
    return Candidate(module, plain, kind, kind, found.path, line, entry, name.endswith("()"))


def _declared(look: _Looker) -> Choice | None:
    """Return the application that a Procfile or its like names, when the code has it."""
    for claim in look.declared.claims:
        entry = claim.target
        if look.declared.folder and not applications.named(look.candidates, entry):
            entry = entry.removeprefix(f"{look.declared.folder}.")
        if named := applications.named(look.candidates, entry) or _trusted(look.code, entry, claim.kind, claim.where):
            evidence = Evidence(named.entry, claim.where)
            made = applications.chosen(named, evidence, look.candidates, f"{claim.where} names another")
            return msgspec.structs.replace(_app(made), server_options=claim.options)
        of_script = [c for c in look.candidates if claim.script and c.path == claim.script and not c.factory]
        if of_script:
            best = max(of_script, key=applications.rank)
            evidence = Evidence(best.entry, claim.where)
            return _app(applications.chosen(best, evidence, look.candidates, f"{claim.where} names another"))
        for listener in look.serving.listeners():
            if listener.module.path == claim.script:
                return _served(look, listener, Decision("entry", claim.script, claim.where))
    return None


def _declared_http(look: _Looker) -> Choice | None:
    """Return a web process that nothing here understands, but that can be run: somebody else's program, most often."""
    for claim in look.declared.claims:
        if claim.argv and not claim.script:
            return Choice(
                kind="http", framework="procfile", entry=claim.argv[0], start=claim.argv, port=listeners.PORT,
                decision=Decision("entry", " ".join(claim.argv)[:80], claim.where, "likely"),
                needs_project=claim.argv[0] in look.manifest.scripts,
            )  # fmt: skip
    return None


def _django(look: _Looker) -> Choice | None:
    if not any(m.settings or "ROOT_URLCONF" in m.bindings for m in look.code.modules.values()):
        return None
    from buildpacks.python import django  # only Django pays for it

    found = django.entry(look.code, look.candidates)
    if found is None:
        return None
    named, where = found
    if is_aside(named.path) or (library.is_one(look.tree, look.manifest) and named not in look.candidates):
        return None
    return _app(
        applications.chosen(named, Evidence(named.entry, where), look.candidates, "the Django settings name another")
    )


def _app(made: applications.Chosen) -> Choice:
    app = made.candidate
    return Choice(kind=app.kind, framework=app.framework, entry=app.entry, app=app, decision=made.decision)


def _listener_rank(k: Listener) -> tuple[bool, int, bool, bool]:
    last = k.module.name.rpartition(".")[2]
    usual = last in scripts.USUAL or last in ("server", "streamlit_app", "demo")
    return (not is_aside(k.module.path), -k.module.path.count("/"), usual, bool(k.module.guard))


def _listener(look: _Looker, listening: Sequence[Listener]) -> Choice:
    first, *others = listening
    pages = [k for k in others if k.row.name == "streamlit" and "/pages/" in f"/{k.module.path}"]
    others = [k for k in others if k not in pages]
    equal = [k for k in others if _listener_rank(k) == _listener_rank(first)]
    if equal:
        hinted = [k for k in (first, *equal) if hint(look.tree, k.module.path) not in ("", applications.README)]
        if len(hinted) != 1:
            raise scripts.ambiguous("server", [(k.module.path, k.where) for k in (first, *equal)])
        others = [k for k in (first, *others) if k is not hinted[0]]
        first = hinted[0]
    seen = [Evidence(first.module.path, first.where, "likely" if others else "strong")]
    seen += [Evidence(k.module.path, k.where, "weak", "it stands deeper, or its name is less usual") for k in others]
    return _served(look, first, decide("entry", seen))


def _served(look: _Looker, listener: Listener, decision: Decision, console: str = "") -> Choice:
    """Return the choice of what serves by itself: a script, or the ``console`` script of the project."""
    start = listeners.start(look.code, listener, (console,) if console else ())
    return Choice(
        kind="http",
        framework=listener.row.name,
        package=listener.row.package,
        entry=console or listener.module.path,
        start=start.command,
        port=look.given.settings.port or start.port,
        decision=decision,
        needs_project=bool(console),
        notices=start.notices,
    )


def _script(look: _Looker) -> Choice:
    """Return the console script or the script that is run once, or that serves after all."""
    found = scripts.choose(look.tree, look.code, look.manifest, look.serving, look.declared)
    if found.listener is not None and look.given.settings.kind != "job":
        return _served(look, found.listener, found.decision, found.path)
    return Choice(
        kind="job",
        framework=found.framework,
        entry=found.path,
        start=found.command,
        decision=found.decision,
        needs_project=found.console,
    )


def _refuse_broken(look: _Looker) -> None:
    """Refuse a file that Python cannot parse where it may be the very file that was looked for."""
    for broken in look.code.broken:
        if not look.given.settings.entry and broken.path.count("/") <= 1:
            hint_ = "; it looks like Python 2" if broken.python2 else ""
            raise E_PY_SYNTAX(why=broken.why, hint=hint_, where=f"{broken.path}:{broken.line}")


def hint(tree: Tree, entry: str) -> str:
    """Return the file of the source that names an entry: a Dockerfile, a compose file, the README; "" for none."""
    word = re.compile(rf"(?<![\w./:-]){re.escape(entry.removesuffix('()'))}(?![\w:])")
    for path in _FILE_HINTS:
        with contextlib.suppress(S2IError):  # a file that is only a hint does not end a plan
            if path in tree and word.search(tree.read(path).decode(errors="replace")):
                return path
    return ""
