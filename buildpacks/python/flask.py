"""Flask's instance folder, which it makes beside the code when it starts: in a container, nothing can be made there."""

from __future__ import annotations

from buildpacks.python import install, layer
from buildpacks.python.entry import Choice
from s2i.planning.code import Code
from s2i.planning.plan import Run
from s2i.sources import Notice, Tree

_FRAMEWORKS = frozenset({"flask", "quart"})
_MENTIONS = frozenset({"instance_path", "instance_relative_config"})
_MAKERS = frozenset({"flask-sqlalchemy", "quart-db"})  # they make it for an SQLite file


def instance(tree: Tree, code: Code, choice: Choice, names: frozenset[str], top: str) -> tuple[Run, Notice] | None:
    """Return the step that lets the instance folder lead to /tmp, and what to know; None where nobody asks for one.

    ``names`` are the distributions that are installed; ``top`` is the folder that the entry is imported from, "" when
    the project is installed. https://flask.palletsprojects.com/en/stable/config/#instance-folders
    """
    inside = top.removeprefix("/app").strip("/")
    folder = f"{inside}/instance" if inside else "instance"
    uses = [m for m in code.modules.values() if m.mentions & _MENTIONS]
    if choice.app is None or choice.framework not in _FRAMEWORKS or any(tree.under(folder)):
        return None
    if not uses and not names & _MAKERS:
        return None
    package = choice.app.module.partition(".")[0]
    path = f"{top}/instance" if top else f"{install.VENV}/var/{package}-instance"
    why = "Let the instance folder lead to /tmp, which alone can be written"
    argv = ("sh", "-c", 'mkdir -p "${1%/*}"; ln -s /tmp "$1"', "sh", path)
    where = uses[0].path if uses else choice.app.where
    text = "the instance folder leads to /tmp: what is stored in it is lost with the instance, and no other one sees it"
    return layer.settled(Run("runtime", why, argv), top or f"{install.VENV}/var"), Notice(
        "W_INSTANCE_FOLDER", text, where
    )
