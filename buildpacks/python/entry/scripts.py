"""Find what is run once as a job, when the code holds no application: a script, or a console script of the project."""

from __future__ import annotations

import re
import sys

import msgspec

from buildpacks.python.entry import library, listeners
from buildpacks.python.entry.declared import Declared
from buildpacks.python.manifest import Manifest
from s2i.errors import E_AMBIGUOUS, E_NO_ENTRY, S2IError
from s2i.patterns import lazily
from s2i.planning.code import Code
from s2i.planning.evidence import Evidence, decide
from s2i.planning.ignored import is_aside
from s2i.planning.listening import Listener, Serving
from s2i.planning.module import Binding, Module
from s2i.planning.plan import Decision
from s2i.planning.values import Known
from s2i.sources import Notice, Tree

USUAL = ("main", "__main__", "app", "run", "job", "script", "start", "cli", "bot", "task")
# Tools of development that happen to be Python at the root.
NOT_SCRIPTS = frozenset(
    {
        "setup",
        "manage",
        "noxfile",
        "tasks",
        "fabfile",
        "conf",
        "versioneer",
        "gunicorn_conf",
        "hatch_build",
        "build",
        "dodo",
    }
)
# A console script that reads its command line is a tool: it does nothing without arguments.
_TOOLS = frozenset(
    {
        "click",
        "typer",
        "argparse",
        "docopt",
        "fire",
        "optparse",
        "absl",
        "cleo",
        "cyclopts",
        "cliff",
        "plac",
        "tyro",
        "rich_click",
    }
)
_SCRIPT = lazily(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_TARGET = lazily(r"[\w.]+\s*:\s*[\w.]+\s*(\[.*\])?")
_STARTS = ("start", "serve", "server", "web", "app", "main", "run", "api", "prod", "production")


class Script(msgspec.Struct, frozen=True):
    """What is run: a ``path``, or the name of a ``console`` script; ``listener`` when it serves after all."""

    path: str
    command: tuple[str, ...]
    decision: Decision
    framework: str = "script"
    console: bool = False
    listener: Listener | None = None


def choose(tree: Tree, code: Code, manifest: Manifest, serving: Serving, declared: Declared) -> Script:
    """Return what a job runs. A source that can be installed may be a library.

    "" when the source is nothing but a list of what to install. Raises E_NO_ENTRY, E_AMBIGUOUS (exit 4).
    """
    if found := _declared(tree, declared):
        return found
    tools = _console(code, manifest, serving, is_library=library.is_one(tree, manifest))
    if tools and (tools[0].path in _STARTS or tools[0].listener):
        return tools[0]
    # Beside packaging, __main__.py at the root starts the tool from a checkout: it is no more of a job than the rest.
    aside = NOT_SCRIPTS | ({"__main__"} if manifest.is_project else set())
    runnable = [m for m in code.modules.values() if "/" not in m.path and m.name not in aside and _runs(m)]
    if runnable and not library.is_one(tree, manifest):
        return _best(runnable)
    if tools:
        return tools[0]
    if not manifest.is_project:
        inner = [
            m
            for m in code.modules.values()
            if _runs(m) and not is_aside(m.path) and m.name.rpartition(".")[2] not in NOT_SCRIPTS
        ]
        packages = [m for m in inner if m.path.endswith("/__main__.py")]
        shallow = [m for m in inner if m.path.count("/") == 1 and m.name.rpartition(".")[2] in USUAL]
        if packages or shallow or len(inner) == 1:
            return _best(packages or shallow or inner)
        if manifest.asked and {e.path for e in tree.files} <= {*manifest.files, "s2i.toml"}:
            decision = Decision("entry", "python", "there is nothing but requirements", "weak")
            return Script("", ("python",), decision, "environment")
    raise E_NO_ENTRY(why=_why_nothing(tree, code, manifest))


def ambiguous(what: str, found: list[tuple[str, str]]) -> S2IError:
    """Return the refusal of several scripts that fit equally well, each a path and its ``file:line``."""
    return E_AMBIGUOUS(what=what, candidates=[where for _, where in found], line=f'entry = "{found[0][0]}"')


def shadows(tree: Tree, servers: frozenset[str]) -> tuple[Notice, ...]:
    """Name the modules at the root that hide the standard library, or the server that has to be imported."""
    names = {e.path.removesuffix(".py"): e.path for e in tree.files if e.path.endswith(".py") and "/" not in e.path}
    hidden = sorted(path for name, path in names.items() if name in sys.stdlib_module_names or name in servers)
    if not hidden:
        return ()
    listed = ", ".join(hidden)
    return (Notice("W_SHADOW", f"{listed}: hides a module that Python or the server imports; rename it", hidden[0]),)


def _declared(tree: Tree, declared: Declared) -> Script | None:
    """Return the script that a Procfile names; a web process comes first, though it serves nothing."""
    lines = sorted(declared.lines, key=lambda line: line.type != "web")
    for line in lines:
        command = line.command
        if command is None or line.type == "release":
            continue
        path = command.script or (f"{command.module.replace('.', '/')}/__main__.py" if command.module else "")
        if path and path in tree and not path.endswith("manage.py"):
            # The words behind the script are its arguments.
            argv = (command.program, *command.words) if "$" not in line.text else listeners.run(path)
            return Script(path, argv, Decision("entry", path, line.where))
    return None


def _best(runnable: list[Module]) -> Script:
    ranked = sorted(runnable, key=_rank)
    equal = [m for m in ranked if _rank(m) == _rank(ranked[0])]
    if len(equal) > 1:
        raise ambiguous("script", [(m.path, _where(m)) for m in equal])
    seen = [Evidence(ranked[0].path, _where(ranked[0]), "strong" if len(ranked) == 1 else "likely")]
    seen += [Evidence(m.path, _where(m), "weak", "its name is less usual, or it has no main guard") for m in ranked[1:]]
    path = ranked[0].path
    return Script(path, listeners.run(path), decide("entry", seen))


def _console(code: Code, manifest: Manifest, serving: Serving, *, is_library: bool) -> list[Script]:
    """Return the console scripts that do something without arguments, the best first.

    One that serves may read options; of a library it is still a tool.
    """
    found = []
    for name, target in manifest.scripts.items():
        if not _SCRIPT.fullmatch(name) or not _TARGET.fullmatch(target):
            continue
        module_name, _, function = target.partition(":")
        value = serving.values.named(f"{module_name}.{function.partition('[')[0].strip()}")
        if not isinstance(value, Known) or value.binding.form not in ("def", "async def"):
            continue
        listener = serving.at(value.module, value.binding.name)
        if (listener is None or is_library) and (_is_tool(code, value.module, value.binding) or value.binding.required):
            continue
        where = f"{value.module.path}:{value.binding.line}"
        decision = Decision("entry", name, where, "strong" if len(manifest.scripts) == 1 else "likely")
        found.append(Script(name, (name,), decision, "console-script", console=True, listener=listener))
    return sorted(found, key=lambda s: (s.listener is None, s.path not in _STARTS))


def _is_tool(code: Code, module: Module, binding: Binding) -> bool:
    near = [module, *(code.modules[n] for n in _imported(module) if n in code.modules)]
    return bool(binding.decorators) or any(m.imports & _TOOLS for m in near)


def _imported(module: Module) -> set[str]:
    targets = {b.target for b in module.bindings.values() if b.form == "import"}
    return targets | {t.rpartition(".")[0] for t in targets}


def _runs(module: Module) -> bool:
    return bool(module.guard or module.acts)


def _rank(module: Module) -> tuple[int, bool]:
    last = module.name.rpartition(".")[2]
    return (USUAL.index(last) if last in USUAL else len(USUAL), not module.guard)


def _where(module: Module) -> str:
    return f"{module.path}:{module.guard or module.acts or 1}"


def _why_nothing(tree: Tree, code: Code, manifest: Manifest) -> str:
    """Say what was seen instead of something to run."""
    notebooks = [e.path for e in tree.files if e.path.endswith(".ipynb")]
    if notebooks and not any(not is_aside(m.path) and _runs(m) for m in code.modules.values()):
        more = f" and {len(notebooks) - 1} more" if notebooks[1:] else ""
        return f"there are notebooks ({notebooks[0]}{more}) and nothing that runs by itself"
    if manifest.scripts:
        names = ", ".join(sorted(manifest.scripts)[:3])
        return f"it is a command-line tool ({names}), which does nothing without arguments: it is installed, not served"
    if manifest.is_project:
        return "it is a library or a tool to install: nothing in it serves or runs by itself"
    if not code.modules:
        return "it has no module to run: only tests, documentation or packaging"
    return f"none of its {len(code.modules)} modules makes an application or does anything when it is run"
