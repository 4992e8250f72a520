"""Which settings hold, and what they say: also what they import with a star."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterator

import msgspec

from s2i.errors import E_ENTRYPOINT
from s2i.planning.candidates import Candidate
from s2i.planning.code import Code
from s2i.planning.constants import Constant, Read
from s2i.planning.ignored import is_aside
from s2i.planning.module import Module

_MANAGE = re.compile(r"(?:[A-Za-z0-9._/-]+/)?manage\.py")
_LONGEST = 40  # modules that one module of settings is made of: what is longer are no settings
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
# Settings that nobody names are ranked by these, the first is best; what stands in no group comes before "common".
_LIVE = frozenset({"production", "prod", "live", "deploy", "deployment"})
_SHARED = frozenset({"base", "common", "defaults", "default", "shared"})
_AT_HOME = frozenset({"dev", "develop", "development", "local", "test", "testing", "tests", "ci", "debug", "staging"})


class Setting(msgspec.Struct, frozen=True):
    """A setting as it holds, and the file that sets it."""

    path: str
    constant: Constant

    @property
    def where(self) -> str:
        """``file:line``."""
        return f"{self.path}:{self.constant.line}"


class Project(msgspec.Struct, frozen=True):
    """One Django project. ``chain``: the module of the settings, then what it takes over, nearest first.

    ``manage`` is manage.py's path, "" without one; ``collected``: the settings that manage.py names; ``where``: the
    ``file:line`` that names the settings, "" when nothing does and they were found by what stands in them.
    """

    chain: tuple[Module, ...]
    manage: str = ""
    collected: str = ""
    where: str = ""

    @property
    def settings(self) -> Module:
        """The module of the settings."""
        return self.chain[0]

    def all(self, name: str) -> Iterator[Setting]:
        """Yield every statement about a setting: the nearest module first, the last in it first."""
        for module in self.chain:
            for constant in reversed(module.constants.found):
                if constant.name == name:
                    yield Setting(module.path, constant)

    def get(self, name: str) -> Setting | None:
        """Return what a setting is set to, rather by every import than in a branch; None when nothing sets it."""
        found = [s for s in self.all(name) if not s.constant.adds]
        return next((s for s in found if s.constant.certain), found[0] if found else None)

    def words(self, *names: str) -> frozenset[str]:
        """Return all strings in these settings; of all settings when none is named."""
        chosen = (c for m in self.chain for c in m.constants.found if not names or c.name in names)
        return frozenset(word for constant in chosen for word in constant.words)

    def reads(self) -> Iterator[Read]:
        """Yield the environment variables that the settings read."""
        return (read for module in self.chain for read in module.constants.reads)

    @property
    def by_class(self) -> bool:
        """Whether the settings are classes (django-configurations): only manage.py can set them up."""
        return any("configurations" in module.imports for module in self.chain)


def find(code: Code, app: Candidate | None = None) -> Project | None:
    """Return the project, with the settings that hold when ``app`` is served; None when this is no Django.

    Raises E_ENTRYPOINT for a name that cannot be a module's.
    """
    if not any(m.settings or "ROOT_URLCONF" in m.bindings for m in code.modules.values()):
        return None
    manager = _manager(code, app)
    named = _named(code, code.modules.get(app.module)) if app else None
    at_hand = _named(code, manager)
    by, module = (code.modules[app.module], named) if app and named else (manager, at_hand)
    manage, collected = (manager.path if manager else ""), (at_hand.name if at_hand else "")
    if module and by and by.settings:
        return Project(_chain(code, module), manage, collected, f"{by.path}:{by.settings[1]}")
    alike = [m for m in code.modules.values() if any("ROOT_URLCONF" in each.bindings for each in _chain(code, m))]
    alike = [m for m in alike if m.name.rpartition(".")[2] not in ("manage", "wsgi", "asgi")]
    if not alike:
        return None
    return Project(_chain(code, min(alike, key=_rank)), manage, collected)


def managers(code: Code) -> list[Module]:
    """Return the manage.py files that name settings: the outermost, and those beside it in the tree."""
    found = [m for m in code.modules.values() if m.settings and _MANAGE.fullmatch(m.path)]
    found = [m for m in found if not is_aside(m.path)] or found
    depth = min((m.path.count("/") for m in found), default=0)
    return [m for m in found if m.path.count("/") == depth]


def folders(code: Code) -> list[str]:
    """Return the folders of the projects that lie side by side, each with settings of its own."""
    own: dict[str, str] = {}
    for manager in managers(code):
        folder, value = posixpath.dirname(manager.path), manager.settings[0] if manager.settings else ""
        path = posixpath.join(folder, value.replace(".", "/"))
        if any(m.path in (f"{path}.py", f"{path}/__init__.py") for m in code.modules.values()):
            own.setdefault(path, folder)
    return sorted(own.values())


def _manager(code: Code, app: Candidate | None) -> Module | None:
    """Return manage.py: of several the one whose settings the application names, or that lies nearest to it."""
    found = managers(code)
    if app is None or len(found) < 2:
        return found[0] if found else None
    named = code.modules[app.module].settings if app.module in code.modules else None
    near = sorted(found, key=lambda m: -len(posixpath.commonprefix([m.path, app.path])))
    return next((m for m in found if named and m.settings and m.settings[0] == named[0]), near[0])


def _named(code: Code, by: Module | None) -> Module | None:
    """Return the module of the settings that ``by`` names, None when the source has none of that name."""
    if by is None or by.settings is None:
        return None
    value, line = by.settings
    if not _DOTTED.fullmatch(value):
        why = f"{posixpath.basename(by.path)} names settings that cannot be a module"
        raise E_ENTRYPOINT(value=value, why=why, where=f"{by.path}:{line}")
    return code.modules.get(value)


def _chain(code: Code, first: Module) -> tuple[Module, ...]:
    """Return a module and those that it takes over: by star, nearest last; by split_settings' ``include``."""
    found: dict[str, Module] = {}
    waiting = [first]
    while waiting and len(found) < _LONGEST:
        module = waiting.pop()
        if module.name not in found:
            found[module.name] = module
            waiting += [code.modules[star] for star in module.stars if star in code.modules]
            waiting += _included(code, module)
            waiting += _borrowed(code, module)
    return tuple(found.values())


def _borrowed(code: Code, module: Module) -> list[Module]:
    """Return the modules of the source that settings are imported from by name."""
    targets = (b.target for b in module.bindings.values() if b.form == "import" and b.name.isupper())
    names = dict.fromkeys(target.rpartition(".")[0] for target in targets)
    return [code.modules[name] for name in names if name in code.modules]


def _included(code: Code, module: Module) -> list[Module]:
    if not module.constants.includes:
        return []
    folder = posixpath.dirname(module.path)
    patterns = [posixpath.normpath(posixpath.join(folder, pattern)) for pattern in module.constants.includes[:100]]
    return [m for m in code.modules.values() if any(fnmatch.fnmatchcase(m.path, p) for p in patterns)]


def _rank(module: Module) -> tuple[int, int, str]:
    """Rank settings that nobody names: outermost, then for production, but not one that needs what nobody has set."""
    last = module.name.rpartition(".")[2]
    needs = any(read.needed and "SECRET" not in read.name for read in module.constants.reads)
    groups = ((_LIVE if not needs else frozenset(), 0), (_SHARED, 2), (_AT_HOME | _LIVE, 3))
    group = next((number for names, number in groups if last in names), 1)
    return (module.path.count("/") - module.path.endswith("/__init__.py"), group, module.name)
