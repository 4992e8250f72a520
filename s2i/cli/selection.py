"""Which project commands look in when they do not say: the one that a person has selected, kept beside the state."""

from __future__ import annotations

import os
from pathlib import Path

from s2i import dirs
from s2i.errors import S2IError
from s2i.resources.names import project_name
from s2i.resources.project import DEFAULT

VARIABLE = "S2I_PROJECT"
LIMIT = 200  # bytes that are read


def current() -> tuple[str, str]:
    """Return the project that commands look in when they do not say, and what says so. Raises E_NAME."""
    if given := os.environ.get(VARIABLE):
        return checked(given, VARIABLE), VARIABLE
    if found := selected():
        return found, "selected"
    return DEFAULT, DEFAULT


def words_for(project: str) -> str:
    """Return what a command line needs to say to mean ``project``: nothing for the one that commands look in."""
    return "" if project == current()[0] else f" --project {project}"


def selected() -> str:
    """Return the selected project, "" for none. Raises E_NAME when what is kept cannot be one."""
    try:
        with _file().open("rb") as file:
            name = file.read(LIMIT).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
    return checked(name, str(_file()))


def select(name: str) -> None:
    """Have ``name`` be the selected project, "" for none."""
    if name:
        dirs.make_private(_file().parent)
        dirs.write(_file(), f"{name}\n".encode())
    else:
        _file().unlink(missing_ok=True)


def checked(name: str, where: str = "") -> str:
    """Return ``name`` when it can name a project; ``where`` it stands. Raises E_NAME."""
    try:
        return project_name(name)
    except S2IError as error:
        error.where = where
        raise


def _file() -> Path:
    return dirs.state() / "project"
