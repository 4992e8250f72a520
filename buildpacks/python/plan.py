"""Python: WSGI and ASGI applications, and scripts that run once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from buildpacks.python import (
    entry,
    flask,
    heavy,
    indexes,
    layer,
    lock,
    logins,
    manifest,
    paths,
    prune,
    repairs,
    server,
    steps,
    system,
    version,
)  # fmt: skip
from buildpacks.python.entry import applications, declared, library, listeners, scripts
from buildpacks.python.manifest import Manifest, imports
from s2i.errors import E_NOT_PYTHON, E_TEMPLATE
from s2i.planning import code, toml
from s2i.planning.candidates import Framework
from s2i.planning.code import Code, imported
from s2i.planning.detection import Detection
from s2i.planning.ignored import is_aside, is_ignored
from s2i.planning.plan import STAGES, Base, BuildPlan, Decision, Process, Run, Step
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

if TYPE_CHECKING:
    from buildpacks.python.django.site import Site

MANIFESTS = (
    "requirements.txt", "pyproject.toml", "setup.py", "Pipfile", "environment.yml", "environment.yaml", "pixi.toml",
)  # fmt: skip
PORT = 8080
_METADATA = frozenset({"importlib.metadata", "importlib_metadata", "get_distribution"})
_FRAMEWORKS = Path(__file__).with_name("frameworks.toml")


class Found(Detection, frozen=True, kw_only=True):
    """A Python source, recognised: what runs, what to install, which Python."""

    given: Given
    choice: entry.Choice
    manifest: Manifest
    version: version.Version
    root: str = ""  # the folder that the entry is imported from
    uses: dict[str, str] = {}  # what of the code says that Debian packages are needed
    site: Site | None = None
    code: Code = Code({})


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    framework: tuple[Framework, ...] = ()


def detect(tree: Tree, given: Given, offered: tuple[Base, ...]) -> Found:
    """Recognise Python. Raises E_NOT_PYTHON, E_NO_ENTRY, E_AMBIGUOUS, E_PYTHON_VERSION … (exit 4), E_REQ … (exit 3)."""
    if not any(e.path.endswith(".py") for e in tree.files) and not any(m in tree for m in MANIFESTS):
        raise E_NOT_PYTHON(found=_listed(tree))
    if template := _template(tree):
        raise E_TEMPLATE(folder=template)
    wished = version.wishes(tree, given)
    wanted = manifest.read(tree, given)
    named = indexes.decide(tree, wanted)
    claims = declared.read(tree, wanted)
    read = code.read(tree, (claims.folder,) if claims.folder else (), _marks)
    frameworks = _frameworks(wanted, read)
    fits = _python((*wished, *_syntax(read)), wanted, given, offered)
    choice = entry.choose(tree, read, given, wanted, claims, frameworks)
    decision = choice.decision
    package = _package(choice, frameworks)
    wanted = imports.complete(wanted, tree, read, choice.module, package, whole=choice.framework == "django")
    return Found(
        buildpack="python",
        kind=choice.kind,
        framework=choice.framework,
        entry=choice.entry,
        given=given,
        choice=choice,
        manifest=wanted,
        version=fits,
        root=choice.root,
        site=_site(tree, read, given, choice, wanted) if choice.app and choice.framework == "django" else None,
        uses=system.used(read),
        code=read,
        decisions=(_kind(tree, given, choice), decision, *named),
        notices=(*_notices(tree, read, wanted, fits), *choice.notices),
    )


def plan(tree: Tree, found: Found) -> BuildPlan:
    """Plan the image of what was found. Pure: all reading is done."""
    site, base, choice, installs = found.site, found.version.base, found.choice, _installs(found)
    start, port, served = _started(tree, found)
    needed = system.choose(tree, found.manifest, found.uses, found.given, base)
    repaired = repairs.choose(found.manifest, is_dated=found.version.is_dated and not found.given.locked)
    extra = [*found.manifest.added, *(n for n in choice.needs if n not in found.manifest.names)]
    extra += [*([served.needs] if served and served.needs else []), *(site.needs if site else ()), *repaired.extra]
    if found.given.locked:
        lock.require(tree, found.manifest, tuple(extra))
    own = site.steps if site else ()
    parts = steps.Parts(
        base=base, manifest=found.manifest, extra=tuple(extra), project=installs, system=needed,
        heavy=heavy.choose(tree, found.manifest), pruned=prune.choose(tree, found.given),
        written=tuple(step for step in own if isinstance(step, Run) and step.stage == "build"),
        source_bytes=sum(e.size for e in tree.files if e.path.endswith(".py") and not is_aside(e.path)),
    )  # fmt: skip
    made = steps.plan(parts)
    made = repairs.with_cpu_torch(made) if repaired.cpu_torch else made
    workdir = "" if found.root in ("", "src") else f"{steps.APP}/{found.root}"
    made = (*made, *(_inside(step, found.root, workdir) for step in own if step.stage == "runtime"))
    top = "" if installs else f"{steps.APP}/{found.root}".rstrip("/")
    folders = () if installs else paths.folders(found.code, choice.module, found.root, found.manifest.names)
    folder = flask.instance(tree, found.code, choice, found.manifest.names, top)
    made = (*made, folder[0]) if folder else made
    said = [part for part in (served, site, needed, repaired) if part]
    layers = (*parts.heavy.decisions, steps.bytecode(parts), parts.pruned.decision)
    decisions = [d for part in said for d in ((part.decision,) if isinstance(part, server.Serving) else part.decisions)]
    if found.given.settings.port and port:
        decisions.append(Decision("port", str(port), found.given.where(tree, "port")))
    notices = [*(n for part in said for n in part.notices), *([folder[1]] if folder else [])]
    return BuildPlan(
        buildpack="python", kind=found.kind, framework=found.framework, manager=found.manifest.manager,
        python=base.python, entry=found.entry, start=start, port=port, base=base,
        env=(*_env(port, folders), *(site.env if site else ())),
        steps=tuple(sorted(made, key=lambda step: STAGES.index(step.stage))),
        decisions=(*found.decisions, found.manifest.decision, found.version.decision, *decisions, *layers),
        warnings=(*found.notices, *notices), processes=_processes(found), workdir=workdir,
    )  # fmt: skip


def _kind(tree: Tree, given: Given, choice: entry.Choice) -> Decision:
    if given.settings.kind:
        return Decision("kind", choice.kind, given.where(tree, "kind"))
    return Decision("kind", choice.kind, choice.decision.origin, choice.decision.strength)


def _started(tree: Tree, found: Found) -> tuple[tuple[str, ...], int | None, server.Serving | None]:
    """Return the command, the port ($PORT unless the platform says so), and the server that is put in front."""
    choice = found.choice
    if choice.app is None:
        return choice.start, choice.port, None
    app = found.site.app if found.site else choice.app
    served = server.choose(tree, found.given, found.manifest, app, choice.server_options)
    return served.start, found.given.settings.port or PORT, served


def places(tree: Tree) -> tuple[str, ...]:
    """Return the folders that hold a manifest of Python: each may be a source of its own, unless this is a library."""
    if library.is_classified(tree):
        return ()
    found = {e.path.rpartition("/")[0] for e in tree.files if e.path.rpartition("/")[2] in MANIFESTS}
    found = {f for f in found if f and not is_ignored(f"{f}/app.py") and not is_aside(f"{f}/app.py")}
    outermost = {f for f in found if not any(f.startswith(f"{other}/") for other in found)}
    return tuple(sorted(outermost, key=lambda f: (f.count("/"), f)))


def _python(
    wished: tuple[version.Wish, ...], wanted: Manifest, given: Given, offered: tuple[Base, ...]
) -> version.Version:
    """Choose the Python. s2i.toml has the last word; an installer holds to the bound of a project or a lock."""
    pins = version.limits(wanted.asked, wanted.locked, wanted.decision.origin)
    if given.settings.python:
        return version.choose(wished, offered, pins, enforced=True)
    enforced = wanted.manager != "requirements.txt" or wanted.is_project
    return version.choose((*wished, *wanted.python), offered, pins, enforced=enforced)


def _syntax(read: Code) -> tuple[version.Wish, ...]:
    """Return what the code itself asks for: the Python that can parse it, when this one cannot."""
    newer = [m for m in read.modules.values() if m.python and not is_aside(m.path)]
    return tuple(
        version.Wish(f">={m.python}", f"{m.path}:{m.python_line}", written=f"syntax of {m.python}") for m in newer[:1]
    )


def passed_over(tree: Tree) -> tuple[Notice, ...]:
    """Python is asked first: there is nothing to say."""
    return ()


def _frameworks(wanted: Manifest, read: Code) -> tuple[Framework, ...]:
    """Return the frameworks that the code can be made with: it imports them, and their version is the row's."""
    rows = toml.select(_FRAMEWORKS, _Table, imported(read)).framework
    return tuple(row for row in rows if not row.versions or _allows(row, wanted))


def _allows(row: Framework, wanted: Manifest) -> bool:
    """Say whether the version of a framework that will be installed is one of the row's."""
    if row.package not in wanted.names:
        return row.versions.startswith(">")  # nobody holds the newest back
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # here: most sources never get this far
    from packaging.version import InvalidVersion

    versions = SpecifierSet(row.versions)
    asked = wanted.asked.get(row.package)
    try:
        if locked := wanted.locked.get(row.package):
            return versions.contains(locked)
        allowed = SpecifierSet(asked.spec) if asked else SpecifierSet()
    except (InvalidSpecifier, InvalidVersion):
        allowed = SpecifierSet()
    tried = ("999", *(f"{major}.999" for major in range(20, -1, -1)), *(part.version for part in allowed))
    newest = next((v for v in tried if allowed.contains(v)), "999")
    return versions.contains(newest)


def _marks() -> frozenset[bytes]:
    """Return the words without which a module makes no application and serves nothing."""
    words = [word for row in toml.load(_FRAMEWORKS, _Table).framework for word in (*row.calls, *row.objects)]
    words += [word for row in listeners.table() for word in (*row.calls, *row.methods, *row.imports)]
    return frozenset(word.removesuffix(".*").rpartition(".")[2].encode() for word in words)


def _notices(tree: Tree, read: Code, wanted: Manifest, fits: version.Version) -> tuple[Notice, ...]:
    broken = (Notice("W_PY_SYNTAX", f"was not read: {b.why}", f"{b.path}:{b.line}") for b in read.broken[:10])
    written = logins.notices(tree, wanted)
    return (
        *wanted.notices,
        *written,
        *fits.notices,
        *read.notices,
        *broken,
        *scripts.shadows(tree, applications.SERVERS),
    )


def _env(port: int | None, folders: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    env = [
        ("PATH", f"{steps.VENV}/bin:/usr/local/bin:/usr/bin:/bin"),
        ("LANG", "C.UTF-8"),
        ("PYTHONUNBUFFERED", "1"),
        ("HOME", "/tmp"),  # noqa: S108 - the one place that a container can write to
    ]
    if port:
        env.append(("PORT", str(port)))
    if folders:
        env.append(("PYTHONPATH", ":".join(f"{steps.APP}/{folder}".rstrip("/") for folder in folders)))
    return tuple(env)


def _package(choice: entry.Choice, frameworks: tuple[Framework, ...]) -> str:
    """Return the distribution of a framework, "" for a raw application or a script."""
    return choice.package or next((f.package for f in frameworks if f.name == choice.framework), "")


def _site(tree: Tree, read: Code, given: Given, choice: entry.Choice, wanted: Manifest) -> Site | None:
    from buildpacks.python.django.site import site  # only Django pays for it

    return site(tree, read, given, choice.app, choice.candidates, wanted.names) if choice.app else None


def _installs(found: Found) -> bool:
    """Say whether the project itself is installed: only when the entry can be imported no other way.

    Or when the code asks for the metadata of an installed distribution, which may be its own.

    A site of Django runs from its folder, where manage.py is: what is installed would look for its files elsewhere.
    """
    reads_itself = any(m.mentions & _METADATA and not is_aside(m.path) for m in found.code.modules.values())
    asked = found.choice.needs_project or ((found.root == "src" or reads_itself) and found.site is None)
    return asked and found.manifest.is_project and not found.manifest.dynamic_version


def _inside(step: Step, root: str, workdir: str) -> Step:
    """Return a step of the runtime stage as it runs in the folder in which the program starts as well."""
    if not isinstance(step, Run):
        return step
    if workdir:
        argv = ("env", f"--chdir={workdir}", *(word.removeprefix(f"{root}/") for word in step.argv))
        step = msgspec.structs.replace(step, argv=argv)
    return layer.settled(step, steps.APP)


def _processes(found: Found) -> tuple[Process, ...]:
    """Return the other programs of the image: what the source declares, and the migration of Django's database."""
    declared_ones, site = found.choice.processes, found.site
    if site is None or not site.migrate or any("migrate" in p.start for p in declared_ones):
        return declared_ones
    return (*declared_ones, Process("migrate", site.migrate, site.migrate[1]))


def _template(tree: Tree) -> str:
    """Return a folder whose name is a placeholder: then the source is none yet, but makes some."""
    return next((e.path.partition("/")[0] for e in tree.files if e.path.startswith(("{{", "[[ "))), "")


def _listed(tree: Tree) -> str:
    names = sorted({e.path.split("/")[0] for e in tree.files})
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
