"""Which application of a Django project is served: the settings name it, and say whether async is really used."""

from __future__ import annotations

from collections.abc import Sequence

from buildpacks.python.django import project
from buildpacks.python.django.project import Project
from s2i.errors import E_AMBIGUOUS
from s2i.planning.candidates import Candidate, WebKind
from s2i.planning.code import Code
from s2i.planning.expression import Call, Name
from s2i.planning.module import Binding
from s2i.sources import Notice

_CHANNELS = frozenset({"channels", "daphne"})
_ROUTERS = frozenset({"channels.routing.ProtocolTypeRouter", "channels.routing.get_default_application"})


def entry(code: Code, candidates: Sequence[Candidate]) -> tuple[Candidate, str] | None:
    """Return the application that is served, and ``file:line`` of what names it.

    None when this is no Django. Raises E_ENTRYPOINT, and E_AMBIGUOUS for projects side by side (exit 4).
    """
    of_django = [c for c in candidates if c.framework == "django" and not c.factory]
    found = project.find(code)
    if found is None:
        return None
    if len(folders := project.folders(code)) > 1:
        raise E_AMBIGUOUS(what="Django project", candidates=folders, line=f'subdir = "{folders[0]}"')
    wsgi, asgi = (_named(code, found, of_django, kind) for kind in ("wsgi", "asgi"))
    plain = sorted(of_django, key=lambda c: (c.module.count("."), c.imported, c.module))
    first_wsgi, first_asgi = (next((c for c in plain if c.kind == kind), None) for kind in ("wsgi", "asgi"))
    if is_async(code, found, plain) and (asgi or first_asgi):
        return _set_up(code, plain, asgi) if asgi else _plain(found, first_asgi)
    # ASGI_APPLICATION is only ever written by hand: without WSGI_APPLICATION beside it, it is meant.
    return wsgi or asgi or _plain(found, first_wsgi) or _plain(found, first_asgi)


def is_async(code: Code, found: Project, candidates: Sequence[Candidate]) -> bool:
    """Say whether ASGI is needed. startproject writes an asgi.py that nobody uses: it tells nothing."""
    uses_channels = bool(_CHANNELS & found.words()) and found.get("ASGI_APPLICATION") is not None
    routed = any(
        b.target in _ROUTERS
        for c in candidates
        if c.kind == "asgi" and c.module in code.modules
        for b in code.modules[c.module].bindings.values()
        if _makes_router(b)
    )
    views = (b for m in code.modules.values() for b in m.bindings.values() if b.form == "async def")
    return uses_channels or routed or any(view.required[:1] == ("request",) for view in views)


def _makes_router(binding: Binding) -> bool:
    return binding.target in _ROUTERS or _called(binding) in _ROUTERS


def _called(binding: Binding) -> str:
    match binding.value:
        case Call(function=Name(dotted)):
            return dotted
    return ""


def notices(code: Code, found: Project, app: Candidate, candidates: Sequence[Candidate]) -> tuple[Notice, ...]:
    """Say which application the settings name in vain, and what a server of today cannot speak."""
    said = []
    for kind in ("wsgi", "asgi"):
        setting = found.get(f"{kind.upper()}_APPLICATION")
        text = setting.constant.value if setting else ""
        if setting and text and text != "None" and _named(code, found, candidates, kind) is None:
            message = f"{setting.constant.name} names {text}, which this source has not: {app.entry} is served"
            said.append(Notice("W_DJANGO_ENTRY", message, setting.where))
    module = code.modules.get(app.module)
    old = "channels.routing.get_default_application"
    if module and any(b.target == old or _called(b) == old for b in module.bindings.values()):
        text = "written for Channels 2, whose ASGI 2 today's servers do not speak: Channels 3 or newer is needed"
        said.append(Notice("W_CHANNELS", text, app.where))
    return tuple(said)


def _named(code: Code, found: Project, candidates: Sequence[Candidate], kind: WebKind) -> tuple[Candidate, str] | None:
    """Return the application that WSGI_APPLICATION or ASGI_APPLICATION names, when the source has it."""
    setting = found.get(f"{kind.upper()}_APPLICATION")
    if setting is None:
        return None
    module_name, _, name = setting.constant.value.rpartition(".")
    module = code.modules.get(module_name)
    known = next((c for c in candidates if (c.module, c.name) == (module_name, name)), None)
    if known is None and module and name in module.bindings and name.isascii():
        # It is wrapped in something that is not known here: what the settings name is what is meant.
        line = module.bindings[name].line
        known = Candidate(module_name, name, kind, "django", module.path, line, f"{module_name}:{name}")
    return (known, setting.where) if known else None


def _set_up(code: Code, candidates: Sequence[Candidate], named: tuple[Candidate, str]) -> tuple[Candidate, str]:
    """Return asgi.py in place of a routing module: that one can only be imported once Django is set up."""
    app, where = named
    if code.modules[app.module].settings is None:
        for c in candidates:
            if c.kind == "asgi" and code.modules[c.module].settings is not None:
                return c, where
    return named


def _plain(found: Project, app: Candidate | None) -> tuple[Candidate, str] | None:
    return (app, found.where or f"{found.settings.path}:1") if app else None
