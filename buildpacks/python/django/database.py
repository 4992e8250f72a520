"""The database: migrations never run in the web process; an SQLite file in the image gets its tables in the build."""

from __future__ import annotations

import re

from buildpacks.python.django import variables
from buildpacks.python.django.project import Project, Setting
from s2i.planning.plan import Run
from s2i.sources import Notice

_ENGINE = re.compile(r"[A-Za-z_]\w*(\.\w+)+")
_SQLITE = ("django.db.backends.sqlite3", "sqlite:", "spatialite:", "django.contrib.gis.db.backends.spatialite")
# A failure does not end the build: pages without a table still work, and the log says it.
_TABLES = 'python "$0" migrate --noinput || echo "no tables were made: the lines above say why" >&2'


def migrations(project: Project) -> tuple[str, ...] | None:
    """Return the command that migrates the database; None without manage.py or without a database."""
    if not project.manage or _database(project) is None:
        return None
    return ("python", project.manage, "migrate", "--noinput")


def tables(project: Project) -> Run | None:
    """Return the step that makes the tables of a database that lies in the image; None for any other."""
    if not project.manage or not _lies_in_image(project):
        return None
    why = "Make the tables of the SQLite file: a running container cannot"
    env = tuple(sorted(variables.values(project).items()))
    return Run("runtime", why, ("sh", "-c", _TABLES, project.manage), env)


def notices(project: Project) -> tuple[Notice, ...]:
    """Say who migrates, and that nothing can be stored in a file of the image."""
    setting, command = _database(project), migrations(project)
    if setting is None:
        return ()
    said = []
    if _is_sqlite(setting):
        text = (
            "the default database is an SQLite file: the root of a container is read-only and its instances share"
            " nothing, so nothing can be stored in it; name a database server before anything has to be"
        )
        said.append(Notice("W_SQLITE", text, setting.where))
    if command and not _is_only_file(project):
        line = " ".join(command)
        text = (
            f"migrations do not run in the web process: run `{line}` in the image with the variables of the database,"
            f" for example `docker run --rm --env-file .env IMAGE {line}`"
        )
        said.append(Notice("W_MIGRATIONS", text, setting.where))
    return tuple(said)


def _database(project: Project) -> Setting | None:
    """Return DATABASES as it holds, rather one with something in it; None when there is no database."""
    holds = project.get("DATABASES")
    found = ([holds] if holds else []) + list(project.all("DATABASES"))
    return next((setting for setting in found if _names_one(setting)), None)


def _names_one(setting: Setting) -> bool:
    words = setting.constant.words
    has_engine = "ENGINE" not in words or any(_ENGINE.fullmatch(w) for w in words)  # "": Django's word for none
    return has_engine and not setting.constant.literal


def _is_only_file(project: Project) -> bool:
    """Say whether no variable can name another database when the application runs."""
    found = [s.constant for s in project.all("DATABASES")]
    return all(not c.reads and _SQLITE[0] in c.words and not any("://" in w for w in c.words) for c in found)


def _is_sqlite(setting: Setting) -> bool:
    return any(word.startswith(_SQLITE) for word in setting.constant.words)


def _lies_in_image(project: Project) -> bool:
    """Say whether the database is an SQLite file of the source: not in memory, not at a path of the machine."""
    setting = _database(project)
    if setting is None or not _is_sqlite(setting):
        return False
    words = setting.constant.words
    return not any(w.startswith(("/", "sqlite:////")) or ":memory:" in w for w in words)
