"""What Django's own files say: manage.py names the settings, the settings name the application."""

from __future__ import annotations

import re
from collections.abc import Sequence

from s2i.errors import E_ENTRYPOINT
from s2i.planning.candidates import Candidate
from s2i.planning.code import Code
from s2i.planning.module import Binding, Module

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def settings(code: Code) -> Module | None:
    """Return the module of the settings: the one that manage.py names, else the outermost that looks like one.

    Raises E_ENTRYPOINT for a name that cannot be a module's.
    """
    for module in code.modules.values():
        if module.settings is None or module.name.rpartition(".")[2] != "manage":
            continue
        value, line = module.settings
        if not _DOTTED.fullmatch(value):
            why = "manage.py names settings that cannot be a module"
            raise E_ENTRYPOINT(value=value, why=why, where=f"{module.path}:{line}")
        if value in code.modules:
            return code.modules[value]
    alike = [m for m in code.modules.values() if "ROOT_URLCONF" in m.bindings]
    return min(alike, key=lambda m: (m.name.count("."), m.name.rpartition(".")[2] != "settings", m.name), default=None)


def entry(code: Code, candidates: Sequence[Candidate]) -> tuple[Candidate, str] | None:
    """Return the application that the settings name, and ``file:line`` of that; None when this is no Django."""
    of_django = [c for c in candidates if c.framework == "django" and not c.factory]
    module = settings(code)
    if module is None or not of_django:
        return None
    wsgi, asgi = (_setting(code, module, f"{kind}_APPLICATION") for kind in ("WSGI", "ASGI"))
    # startproject writes WSGI_APPLICATION; ASGI_APPLICATION is only ever written by hand, for Channels.
    for found in (asgi, wsgi):
        if found:
            where, binding = found
            module_name, _, name = binding.text.rpartition(".")
            for c in of_django:
                if (c.module, c.name) == (module_name, name):
                    return c, f"{where.path}:{binding.line}"
    plain = sorted(of_django, key=lambda c: (c.kind != "wsgi", c.module.count("."), c.module))
    return plain[0], f"{module.path}:1"


def static_root(code: Code) -> str:
    """Return ``file:line`` of STATIC_ROOT when the settings use django.contrib.staticfiles, else ""."""
    module = settings(code)
    found = _setting(code, module, "STATIC_ROOT") if module else None
    if (
        module is None
        or found is None
        or not any("django.contrib.staticfiles" in m.words for m in _chain(code, module))
    ):
        return ""
    return f"{found[0].path}:{found[1].line}"


def _setting(code: Code, module: Module, name: str) -> tuple[Module, Binding] | None:
    """Return a setting, also from the module that the settings import with a star."""
    for each in _chain(code, module):
        if name in each.bindings:
            return each, each.bindings[name]
    return None


def _chain(code: Code, module: Module) -> list[Module]:
    return [module, *(code.modules[s] for s in module.stars if s in code.modules)]
