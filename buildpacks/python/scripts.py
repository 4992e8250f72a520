"""Find the script to run as a job, when the code holds no application."""

from __future__ import annotations

import sys

import msgspec

from buildpacks.python.manifest import Manifest
from s2i.errors import E_AMBIGUOUS, E_ENTRYPOINT, E_NO_ENTRY
from s2i.planning.code import Code
from s2i.planning.evidence import Evidence, decide
from s2i.planning.module import Module
from s2i.planning.plan import Decision
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

USUAL = ("main", "__main__", "app", "run", "job", "script", "start", "cli", "bot", "task")
# Tools of development that happen to be Python at the root.
NOT_SCRIPTS = frozenset({"setup", "manage", "noxfile", "tasks", "fabfile", "conf", "versioneer", "gunicorn_conf"})


class Script(msgspec.Struct, frozen=True):
    """The script to run, by its path, and the decision that names it."""

    path: str
    decision: Decision


def choose(tree: Tree, code: Code, given: Given, manifest: Manifest) -> Script:
    """Return the script that a job runs. A source that can be installed may be a library.

    "" when the source is nothing but a list of what to install. Raises E_NO_ENTRY, E_AMBIGUOUS, E_ENTRYPOINT (exit 4).
    """
    if path := given.settings.entry:
        where = given.where(tree, "entry")
        if path not in tree:
            raise E_ENTRYPOINT(value=path, why="there is no such file", where=where)
        return Script(path, Decision("entry", path, where))
    # Beside packaging, __main__.py at the root starts the tool from a checkout: it is no more of a job than the rest.
    aside = NOT_SCRIPTS | ({"__main__"} if manifest.is_project else set())
    runnable = [m for m in code.modules.values() if "/" not in m.path and m.name not in aside and _runs(m)]
    if not runnable:
        runnable = [m for m in code.modules.values() if m.path.endswith("/__main__.py")]
        if not runnable and manifest.asked and {e.path for e in tree.files} <= {*manifest.files, "s2i.toml"}:
            return Script("", Decision("entry", "python", "there is nothing but requirements", "weak"))
        if not runnable or manifest.is_project:
            raise E_NO_ENTRY(why=_why_nothing(code, manifest.is_project))
    ranked = sorted(runnable, key=_rank)
    if len(ranked) > 1 and _rank(ranked[0]) == _rank(ranked[1]):
        lines = [_where(m) for m in ranked if _rank(m) == _rank(ranked[0])]
        raise E_AMBIGUOUS(what="script", candidates=lines, line=f'entry = "{ranked[0].path}"')
    seen = [Evidence(ranked[0].path, _where(ranked[0]), "strong" if len(ranked) == 1 else "likely")]
    seen += [Evidence(m.path, _where(m), "weak", "its name is less usual, or it has no main guard") for m in ranked[1:]]
    return Script(ranked[0].path, decide("entry", seen))


def start(path: str) -> tuple[str, ...]:
    """Return the command that runs a script: a package's ``__main__`` by its name, a file by its path."""
    if not path:
        return ("python",)
    if path.endswith("/__main__.py"):
        return ("python", "-m", path.removesuffix("/__main__.py").removeprefix("src/").replace("/", "."))
    return ("python", path)


def shadows(tree: Tree, servers: frozenset[str]) -> tuple[Notice, ...]:
    """Name the modules at the root that hide the standard library, or the server that has to be imported."""
    names = {e.path.removesuffix(".py"): e.path for e in tree.files if e.path.endswith(".py") and "/" not in e.path}
    hidden = sorted(path for name, path in names.items() if name in sys.stdlib_module_names or name in servers)
    if not hidden:
        return ()
    listed = ", ".join(hidden)
    return (Notice("W_SHADOW", f"{listed}: hides a module that Python or the server imports; rename it", hidden[0]),)


def _runs(module: Module) -> bool:
    return bool(module.guard or module.acts)


def _rank(module: Module) -> tuple[int, bool]:
    last = module.name.rpartition(".")[2]
    return (USUAL.index(last) if last in USUAL else len(USUAL), not module.guard)


def _where(module: Module) -> str:
    return f"{module.path}:{module.guard or module.acts or 1}"


def _why_nothing(code: Code, is_project: bool) -> str:
    if is_project:
        return "it is a library or a tool to install: nothing in it serves or runs by itself"
    if not code.modules:
        return "it has no module to run: only tests, documentation or packaging"
    return f"none of its {len(code.modules)} modules makes an application or does anything when it is run"
