"""What a Django site needs beside its server: its static files gathered and served, and what a person should know."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from buildpacks.python.django import application, database, static
from buildpacks.python.django.project import Project, find
from s2i.planning.candidates import Candidate
from s2i.planning.code import Code
from s2i.planning.plan import Decision, Step
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

_LOCAL = (".localhost", "*")


class Site(msgspec.Struct, frozen=True):
    """All that is added to the plan: ``needs`` is installed, ``app`` is what the server is given, ``env`` is set.

    ``migrate`` is the command of the job that migrates the database, () when there is nothing to migrate.
    """

    app: Candidate
    needs: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...] = ()
    migrate: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notices: tuple[Notice, ...] = ()


def site(
    tree: Tree, code: Code, given: Given, app: Candidate, candidates: Sequence[Candidate], installed: frozenset[str]
) -> Site:
    """Return what the site of ``app`` needs; ``installed`` are the distributions that are known to be.

    Raises E_ENTRYPOINT (exit 4).
    """
    project = find(code, app)
    if project is None:
        return Site(app)
    gathered = static.gather(tree, given, project)
    served = static.serve(code, project, app, installed) if gathered.step else static.Served(app)
    tables = database.tables(project)
    steps = (*served.steps, *((gathered.step,) if gathered.step else ()), *((tables,) if tables else ()))
    return Site(
        app=served.app,
        needs=served.needs,
        env=_env(code, project, app),
        steps=steps,
        migrate=database.migrations(project) or (),
        decisions=(_settings(project), gathered.decision, *served.decisions),
        notices=(
            *application.notices(code, project, app, candidates),
            *gathered.notices,
            *served.notices,
            *database.notices(project),
            *_hosts(project),
        ),
    )


def _settings(project: Project) -> Decision:
    if project.where:
        return Decision("settings", project.settings.name, project.where)
    return Decision("settings", project.settings.name, f"{project.settings.path}:1", "weak")


def _env(code: Code, project: Project, app: Candidate) -> tuple[tuple[str, str], ...]:
    """Return the name of the settings where the application itself names none."""
    module = code.modules.get(app.module)
    if module is None or module.settings is not None or not project.settings.name.isascii():
        return ()
    return (("DJANGO_SETTINGS_MODULE", project.settings.name),)


def _hosts(project: Project) -> tuple[Notice, ...]:
    """Say that requests will be answered with 400, and what would let them in."""
    hosts, debug = project.get("ALLOWED_HOSTS"), project.get("DEBUG")
    is_live = debug is not None and debug.constant.value == "False"
    if hosts is None or any(s.constant.adds for s in project.all("ALLOWED_HOSTS")):
        return ()
    names = {name for word in hosts.constant.words for name in word.split(",")}
    # With DEBUG, an empty list lets the machine's own addresses in, as s2i's are.
    if any(name in _LOCAL for name in names) or (hosts.constant.literal and not names and not is_live):
        return ()
    variable = next((read.name for read in hosts.constant.reads), "")
    if not hosts.constant.literal and not variable:
        return ()
    fix = f"set {variable}" if variable else 'add them, or ".localhost" for the addresses that s2i gives'
    text = f"ALLOWED_HOSTS lets only some hosts in, any other request is answered with 400: {fix}"
    return (Notice("W_ALLOWED_HOSTS", text, hosts.where),)
