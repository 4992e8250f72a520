"""Python: WSGI and ASGI applications, and scripts that run once."""

from __future__ import annotations

from pathlib import Path

import msgspec

from buildpacks.python import django, entry, manifest, procfile, scripts, server, steps, version
from buildpacks.python.manifest import Manifest
from s2i.errors import E_NOT_PYTHON, E_PY_SYNTAX
from s2i.planning import candidates, code, toml
from s2i.planning.candidates import Candidate, Framework
from s2i.planning.code import Code
from s2i.planning.detection import Detection
from s2i.planning.plan import AppKind, Base, BuildPlan, Decision, Run
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

MANIFESTS = (
    "requirements.txt", "pyproject.toml", "setup.py", "Pipfile", "environment.yml", "environment.yaml", "pixi.toml",
)  # fmt: skip
PORT = 8080


class Found(Detection, frozen=True, kw_only=True):
    """A Python source, recognised: the application (None: a job), what to install, which Python."""

    app: Candidate | None
    manifest: Manifest
    version: version.Version
    root: str = ""  # the folder that the entry is imported from: "" or "src"
    collects_static: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    framework: tuple[Framework, ...]


def detect(tree: Tree, given: Given, offered: tuple[Base, ...]) -> Found:
    """Recognise Python. Raises E_NOT_PYTHON, E_NO_ENTRY, E_AMBIGUOUS, E_PYTHON_VERSION … (exit 4), E_REQ … (exit 3)."""
    if not any(e.path.endswith(".py") for e in tree.files) and not any(m in tree for m in MANIFESTS):
        raise E_NOT_PYTHON(found=_listed(tree))
    processes = procfile.read(tree)
    wished = version.wishes(tree, given)
    wanted = manifest.read(tree)
    fits = version.choose(wished if given.settings.python else (*wished, *wanted.python), offered)
    read = code.read(tree, _marks())
    chosen = None
    kind: AppKind
    app: Candidate | None
    if given.settings.kind != "job":
        chosen = entry.choose(tree, read, candidates.find(read, _frameworks()), given, processes)
    if chosen:
        app, decision = chosen.candidate, chosen.decision
        kind, framework, name = app.kind, app.framework, app.entry
    else:
        _refuse_broken(read, given)
        script = scripts.choose(tree, read, given, wanted)
        app, decision, name = None, script.decision, script.path
        kind, framework = "job", "script" if script.path else "environment"
    return Found(
        buildpack="python",
        kind=kind,
        framework=framework,
        entry=name,
        app=app,
        manifest=wanted,
        version=fits,
        root="src" if any(module.root for module in read.modules.values()) else "",
        collects_static=django.static_root(read) if framework == "django" and "manage.py" in tree else "",
        decisions=(Decision("kind", kind, decision.origin, decision.strength), decision),
        notices=(*_notices(tree, read, wanted, fits), *procfile.notices(processes, decision.origin)),
    )


def plan(tree: Tree, found: Found) -> BuildPlan:
    """Plan the image of what was found. Pure: all reading is done."""
    extra, decisions, notices = list(_undeclared(found)), [*found.decisions], [*found.notices]
    decisions += [found.manifest.decision, found.version.decision]
    if extra:
        text = f"no manifest: {extra[0]} is installed because the code needs it, and nothing else is"
        notices.append(Notice("W_NO_MANIFEST", text, found.app.where if found.app else ""))
    if found.app is None:
        start, port = scripts.start(found.entry), None
    else:
        serving = server.choose(tree, found.manifest, found.app)
        start, port = serving.start, PORT
        decisions.append(serving.decision)
        notices += serving.notices
        extra += [serving.needs] if serving.needs else []
    installs = found.root != "" and found.manifest.is_project and not found.manifest.dynamic_version
    base = found.version.base
    made = steps.plan(base, found.manifest, tuple(extra), installs)
    if found.collects_static:
        decisions.append(Decision("collectstatic", "in the build", found.collects_static))
        made = (*made, _collectstatic())
    return BuildPlan(
        buildpack="python", kind=found.kind, framework=found.framework, manager=found.manifest.manager,
        python=base.python, entry=found.entry, start=start, port=port, base=base,
        env=_env(port, "" if installs else found.root), steps=made, decisions=tuple(decisions), warnings=tuple(notices),
    )  # fmt: skip


def passed_over(tree: Tree) -> tuple[Notice, ...]:
    """Python is asked first: there is nothing to say."""
    return ()


def _frameworks() -> tuple[Framework, ...]:
    return toml.load(Path(__file__).with_name("frameworks.toml"), _Table).framework


def _marks() -> frozenset[bytes]:
    """Return the words that make an application: the last part of each name that a framework has called."""
    return frozenset(call.rpartition(".")[2].encode() for row in _frameworks() for call in row.calls)


def _notices(tree: Tree, read: Code, wanted: Manifest, fits: version.Version) -> tuple[Notice, ...]:
    broken = (Notice("W_PY_SYNTAX", f"was not read: {b.why}", f"{b.path}:{b.line}") for b in read.broken[:10])
    return (*wanted.notices, *fits.notices, *read.notices, *broken, *scripts.shadows(tree, entry.SERVERS))


def _env(port: int | None, root: str) -> tuple[tuple[str, str], ...]:
    env = [
        ("PATH", f"{steps.VENV}/bin:/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "1"),
        ("HOME", "/tmp"),  # noqa: S108 - the one place that a container can write to
    ]
    if port:
        env.append(("PORT", str(port)))
    if root:
        env.append(("PYTHONPATH", f"{steps.APP}/{root}"))
    return tuple(env)


def _undeclared(found: Found) -> tuple[str, ...]:
    """Return the framework's own distribution when there is no manifest at all to name it."""
    package = next((f.package for f in _frameworks() if f.name == found.framework), "")
    return (package,) if package and found.manifest.manager == "none" else ()


def _collectstatic() -> Run:
    argv = ("python", "manage.py", "collectstatic", "--noinput")
    env = (("SECRET_KEY", "only-for-collectstatic"),)
    return Run("runtime", "Gather Django's static files, with a key that is used nowhere else", argv, env)


def _refuse_broken(read: Code, given: Given) -> None:
    """Refuse a file that Python cannot parse where it may be the very file that was looked for."""
    for broken in read.broken:
        if not given.settings.entry and broken.path.count("/") <= 1:
            hint = "; it looks like Python 2" if broken.python2 else ""
            raise E_PY_SYNTAX(why=broken.why, hint=hint, where=f"{broken.path}:{broken.line}")


def _listed(tree: Tree) -> str:
    names = sorted({e.path.split("/")[0] for e in tree.files})
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
