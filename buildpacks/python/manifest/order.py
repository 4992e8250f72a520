"""Which manifest is installed from, of all that a source has.

In order: a lock, for it says exactly what ran elsewhere; requirements.txt, which is often written out of one; then what
only says which ranges will do; at last what was made for another tool.

| manager          | file                                                                                    |
|------------------|-----------------------------------------------------------------------------------------|
| uv               | uv.lock beside [project], or at the root of a workspace                                 |
| poetry           | poetry.lock beside [tool.poetry] or [project]                                           |
| pdm              | pdm.lock beside [project]                                                               |
| pylock           | pylock.toml                                                                             |
| pipenv           | Pipfile.lock beside a Pipfile                                                           |
| requirements.txt | requirements.txt, then requirements/production.txt and the other names in ``files``     |
| poetry           | [tool.poetry.dependencies] without a lock                                               |
| pipenv           | a Pipfile without a lock                                                                |
| pyproject        | [project]; a group called production, prod, main or deploy; hatch's default environment |
| setup.py         | setup.py, with the setup.cfg beside it                                                  |
| setup.cfg        | setup.cfg                                                                               |
| conda-pip        | environment.yml with no package of conda but Python and pip                             |
| none             | nothing: the imports of the code say what to install                                    |

A lock that is out of date gives way to a requirements.txt that pins everything. ``manager`` in s2i.toml decides.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import cast, get_args

import msgspec

from buildpacks.python.manifest import files
from buildpacks.python.manifest.facts import Manager, Manifest, Pyproject, read_pyproject
from s2i.errors import E_CONFIG
from s2i.planning.plan import Decision, Rejected
from s2i.planning.settings import Given
from s2i.sources import Tree


class Format(msgspec.Struct, frozen=True):
    """One row of the order, in the module ``module``, which is only imported when one of ``files`` is at the root.

    ``present`` names the function that returns the file that is there, "" for none; ``read`` the one that reads it.
    """

    manager: Manager
    module: str
    files: tuple[str, ...]
    present: str = "present"
    read: str = "read"

    def path(self, tree: Tree, project: Pyproject) -> str:
        """Return the file of this format, "" when there is none."""
        if not any(name in tree for name in self.files):
            return ""
        return str(getattr(self._module(), self.present)(tree, project))

    def manifest(self, tree: Tree, project: Pyproject) -> Manifest:
        """Return what the file says. Raises what its module says."""
        return cast("Manifest", getattr(self._module(), self.read)(tree, project))

    def _module(self) -> ModuleType:
        return importlib.import_module(f"buildpacks.python.manifest.{self.module}")


_PROJECT = ("pyproject.toml",)
ORDER = (
    Format("uv", "uvlock", ("uv.lock",)),
    Format("poetry", "poetry", ("poetry.lock",), "locked", "read_locked"),
    Format("pdm", "pdm", ("pdm.lock",), "locked"),
    Format("pylock", "pylock", ("pylock.toml",)),
    Format("pipenv", "pipenv", ("Pipfile.lock",), "locked", "read_locked"),
    Format("requirements.txt", "files", files.NAMES),
    Format("poetry", "poetry", _PROJECT, "unlocked", "read_unlocked"),
    Format("pipenv", "pipenv", ("Pipfile",), "unlocked", "read_unlocked"),
    Format("pyproject", "pyproject", _PROJECT),
    Format("setup.py", "setuptools", ("setup.py",), "present_py", "read_py"),
    Format("setup.cfg", "setuptools", ("setup.cfg",), "present_cfg", "read_cfg"),
    Format(
        "conda-pip",
        "conda",
        ("environment.yml", "environment.yaml", "pixi.toml"),
    ),
)


def read(tree: Tree, given: Given) -> Manifest:
    """Return the manifest to install from. Raises E_TOML, E_REQ…, E_CONFIG (exit 3), E_UNSUPPORTED (exit 4)."""
    project = read_pyproject(tree)
    there = [(each, path) for each in ORDER if (path := each.path(tree, project))]
    if given.settings.manager:
        return _given(tree, project, there, given)
    if not there:
        return _none(project)
    first, path = there[0]
    found = first.manifest(tree, project)
    why = f"{path} comes first"
    if found.stale and files.pins(tree):
        row = next((f, p) for f, p in there if f.manager == "requirements.txt")
        lost = Rejected(path, f"it is out of date, and {row[1]} pins everything")
        instead = row[0].manifest(tree, project)
        return _against(instead, tree, row[1], [other for other in there[1:] if other is not row], why, (lost,))
    return _against(found, tree, path, there[1:], why)


def _against(
    found: Manifest, tree: Tree, path: str, others: list[tuple[Format, str]], why: str, lost: tuple[Rejected, ...] = ()
) -> Manifest:
    """Return a manifest whose decision names the files that lost."""
    paths = dict.fromkeys(other for _, other in others if other not in (path, *found.files, *(r.value for r in lost)))
    alike = [p for p in files.others(tree) if p not in found.files] if found.manager == "requirements.txt" else []
    rejected = (*lost, *(Rejected(other, why) for other in (*paths, *alike)))
    decision = msgspec.structs.replace(found.decision, rejected=rejected)
    return msgspec.structs.replace(found, decision=decision)


def _given(tree: Tree, project: Pyproject, there: list[tuple[Format, str]], given: Given) -> Manifest:
    """Return the manifest of the manager that the settings name. Raises E_CONFIG when its file is not there."""
    wanted, where = given.settings.manager, given.where(tree, "manager")
    names = get_args(Manager)
    if wanted not in names:
        why = f'there is no manager "{wanted}"'
        raise E_CONFIG(why=why, where=where, advice=f"manager is one of {', '.join(names)}")
    if wanted == "none":
        found = _none(project)
        return msgspec.structs.replace(found, decision=Decision("manager", "none", where))
    row = next((row for row in there if row[0].manager == wanted), None)
    if row is None:
        listed = ", ".join(f"{each.manager} ({path})" for each, path in there) or "none"
        why = f'manager = "{wanted}", but the source has no file of it'
        raise E_CONFIG(why=why, where=where, advice=f"leave the line out, or name one that is there: {listed}")
    found = row[0].manifest(tree, project)
    found = msgspec.structs.replace(found, decision=Decision("manager", wanted, where))
    return _against(found, tree, row[1], [other for other in there if other is not row], f"{where} names another")


def _none(project: Pyproject) -> Manifest:
    decision = Decision("manager", "none", "no manifest found", "likely")
    return Manifest(manager="none", decision=decision, is_project=project.is_project)
