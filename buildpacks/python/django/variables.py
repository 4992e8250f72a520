"""Environment variables that hold in one step of the build: the settings cannot be imported without them."""

from __future__ import annotations

import re

from buildpacks.python.django.project import Project

THROW_AWAY = "only-for-this-step-of-the-build-and-used-nowhere-else"
_SECRET = re.compile(r"(?!AWS_)(?:[A-Z0-9]+_)*SECRET(?:_KEY)?")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
# What reads DATABASE_URL into a setting: a URL that opens nothing satisfies it.
_URL_READERS = frozenset({"dj_database_url", "environ", "environs", "decouple", "configurations"})


def values(project: Project) -> dict[str, str]:
    """Return values, for this step only, of the variables that the settings cannot be imported without."""
    key = project.get("SECRET_KEY")
    needed = [read for read in project.reads() if read.needed]
    secret = {read.name for s in project.all("SECRET_KEY") for read in s.constant.reads}
    secret |= {read.name for read in needed if _SECRET.fullmatch(read.name)}
    if not secret and not (key and key.constant.literal and key.constant.certain):
        secret = {"SECRET_KEY", "DJANGO_SECRET_KEY"}  # it comes from where nothing can be seen
    found = dict.fromkeys(secret, THROW_AWAY)
    of_database = {read.name for s in project.all("DATABASES") for read in s.constant.reads if read.needed}
    for name in of_database | {read.name for read in needed if read.name == "DATABASE_URL"}:
        found.setdefault(name, _harmless(project, name))
    # What is served is what has to be prepared: wsgi.py may name other settings than manage.py does.
    if project.collected != project.settings.name:
        found |= settings(project)
    return {name: value for name, value in found.items() if value and _VARIABLE.fullmatch(name)}


def settings(project: Project) -> dict[str, str]:
    """Return the variable that names the settings."""
    name = project.settings.name
    return {"DJANGO_SETTINGS_MODULE": name} if name.isascii() else {}


def _harmless(project: Project, name: str) -> str:
    """Return a value of a database's variable: collectstatic opens no database."""
    if name.endswith("URL"):
        reads_urls = any(_URL_READERS & module.imports for module in project.chain)
        return "sqlite://:memory:" if reads_urls else ""
    return "5432" if name.endswith("PORT") else "unused"
