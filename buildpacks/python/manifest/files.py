"""Requirements files: requirements.txt, and the names that people give to the ones of production."""

from __future__ import annotations

from buildpacks.python import requirements
from buildpacks.python.manifest import facts, windows
from buildpacks.python.manifest.facts import Manifest, Pyproject
from buildpacks.python.requirements import Requirements
from s2i.patterns import lazily
from s2i.planning.plan import Decision
from s2i.sources import Tree

# What is installed first of several. requirements.txt is what every other tool reads; then what is meant to run; then
# the list that others include; .in is what pip-compile makes a .txt of, and stands alone only when nobody did.
NAMES = (
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements-production.txt",
    "requirements-prod.txt",
    "requirements_production.txt",
    "requirements_prod.txt",
    "requirements/requirements.txt",
    "requirements/base.txt",
    "requirements/main.txt",
    "requirements/common.txt",
    "requirements-frozen.txt",
    "requirements.lock",
    "requirements.in",
    "requirements/production.in",
    "requirements/base.in",
    "requirements/main.in",
)
_SAFE_PATH = lazily(r"[A-Za-z0-9._/-]+")


def present(tree: Tree, _: Pyproject) -> str:
    """Return the requirements file to install, "" when there is none."""
    return next((name for name in NAMES if name in tree), "")


def others(tree: Tree) -> tuple[str, ...]:
    """Return the requirements files that lose to the one that is installed."""
    return tuple(name for name in NAMES if name in tree)[1:]


def read(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of the requirements file. Raises E_REQ… and what reading a file raises (exit 3)."""
    return of(tree, pyproject, present(tree, pyproject))


def _uv_wanted(tree: Tree, pyproject: Pyproject) -> str:
    if "uv.toml" not in tree and not pyproject.tool("uv"):
        return ""
    from buildpacks.python.manifest.uvlock import uv_wanted  # reading a lock is of no use to most who have this file

    return uv_wanted(tree, pyproject)


def of(tree: Tree, pyproject: Pyproject, path: str) -> Manifest:
    """Return the manifest of one requirements file. Raises E_REQ…."""
    found = requirements.read(tree, path)
    dropped, notices = windows.only(found.found)
    lost = {r.name for r in dropped}
    return Manifest(
        manager="requirements.txt",
        decision=Decision("manager", "requirements.txt", f"{path}:1"),
        files=found.files,
        words=("-r", path),
        tool=_uv_wanted(tree, pyproject),
        asked={r.name: r for r in found.found if r.name not in lost},
        scripts=pyproject.project.scripts if pyproject.project else {},
        python=facts.requires_python(tree, pyproject.project),
        needs_source=found.local or not copied_alone(found.files),
        is_project=pyproject.is_project,
        dynamic_version=pyproject.dynamic_version,
        exact=found.hashed,
        rewrite=tuple(requirements.file_word(f, f) for f in found.files) if dropped else found.rewrite,
        dropped=tuple(sorted(lost)),
        notices=notices,
    )


def copied_alone(paths: tuple[str, ...]) -> bool:
    """Say whether the names of these files can stand in a Dockerfile."""
    return all(_SAFE_PATH.fullmatch(path) for path in paths)


def pins(tree: Tree) -> bool:
    """Say whether requirements.txt holds an exact version or a hash of all it names. Raises E_REQ…."""
    if "requirements.txt" not in tree:
        return False
    found: Requirements = requirements.read(tree, "requirements.txt")
    return found.hashed or found.pinned
