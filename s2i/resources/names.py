"""Names of projects, apps and jobs, checked in one place."""

from __future__ import annotations

import re

from s2i.errors import E_NAME

NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
RUN_NAME = re.compile(NAME.pattern + r"-[1-9][0-9]{0,8}")  # of a job's run: may be longer than a job's
TAGGED = "---"  # between a tag and the name of its app, in a host name
RESERVED = frozenset({"default", "api", "admin", "localhost", "s2i", "www-admin"})


def app_name(value: str) -> str:
    """Return ``value`` when it can name an app or a job. Raises E_NAME."""
    if value in RESERVED:
        raise E_NAME(what="app", value=value, why=": it is reserved", advice="choose another name")
    if TAGGED in value:
        raise E_NAME(what="app", value=value, why=f": {TAGGED} stands between a tag and an app")
    return _checked("app", value)


def project_name(value: str) -> str:
    """Return ``value`` when it can name a project. Raises E_NAME."""
    return _checked("project", value)


def volume_name(value: str) -> str:
    """Return ``value`` when it can name a volume. Raises E_NAME."""
    return _checked("volume", value)


def thing_name(what: str, value: str) -> str:
    """Return ``value`` when it can be the name of an existing ``what`` (an app, a job run ...). Raises E_NAME."""
    return value if RUN_NAME.fullmatch(value) else _checked(what, value)


def suggest(text: str) -> str:
    """Make an app name out of any text (a folder's or a repository's name): "My Shop.git" gives "my-shop"."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower().removesuffix(".git")).strip("-")
    name = words if words[:1].isalpha() else f"app-{words}".rstrip("-")
    name = name[:63].rstrip("-")
    return f"{name}-app" if name in RESERVED else name


def _checked(what: str, value: str) -> str:
    if not NAME.fullmatch(value):
        raise E_NAME(what=what, value=value, why="" if value else ": it is empty")
    return value


def project_words(project: str) -> str:
    """Return what a command line needs to say to mean ``project``: nothing for the default one."""
    return "" if project == "default" else f" --project {project}"
