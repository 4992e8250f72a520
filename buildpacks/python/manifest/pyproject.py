"""pyproject.toml without a lock: [project], a group of what runs in production, hatch's environment."""

from __future__ import annotations

from buildpacks.python import requirements
from buildpacks.python.manifest import facts, files, groups, sources, uvlock
from buildpacks.python.manifest.facts import Manifest, Pyproject
from buildpacks.python.requirements import Requirement, Requirements
from s2i.planning import toml
from s2i.planning.plan import Decision
from s2i.sources import Tree

PATH = "pyproject.toml"


def present(tree: Tree, pyproject: Pyproject) -> str:
    """Return "pyproject.toml" when it says what to install, else ""."""
    says = pyproject.project is not None or groups.runtime(pyproject)[1] or groups.hatch(pyproject)
    return PATH if says else ""


def read(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of pyproject.toml. Raises E_TOML, E_REQ… (exit 3), E_UNSUPPORTED (exit 4)."""
    project = pyproject.project or facts.Project()
    sources.refuse_outside(tree, pyproject)
    if "dependencies" in project.dynamic:
        named = groups.elsewhere(tree, pyproject)
        return _built(tree, pyproject) if named is None else _listed(tree, pyproject, named)
    if project.dependencies:
        asked = facts.asked_by_project(tree, project)
        return _manifest(tree, pyproject, f"{PATH}:1", ("-r", PATH), asked)
    name, texts = groups.runtime(pyproject)
    if name:
        where = toml.line_of(tree, PATH, name)
        return _manifest(tree, pyproject, where, ("--group", name), facts.asked(texts, where))
    if texts := groups.hatch(pyproject):
        where = toml.line_of(tree, PATH, "[tool.hatch.envs.default]")
        words = tuple(requirements.word(text.strip(), where) for text in texts)
        return _manifest(tree, pyproject, where, words, facts.asked(texts, where))
    return _manifest(tree, pyproject, f"{PATH}:1", ("-r", PATH), {})


def _manifest(
    tree: Tree, pyproject: Pyproject, origin: str, words: tuple[str, ...], asked: dict[str, Requirement]
) -> Manifest:
    return Manifest(
        manager="pyproject",
        decision=Decision("manager", "pyproject", origin),
        files=tuple(p for p in (PATH, "uv.toml") if p in tree),
        words=words,
        tool=uvlock.uv_wanted(tree, pyproject),
        asked=asked,
        scripts=pyproject.project.scripts if pyproject.project else {},
        python=facts.requires_python(tree, pyproject.project),
        needs_source=sources.has_local(pyproject),
        is_project=pyproject.is_project,
        dynamic_version=pyproject.dynamic_version,
    )


def _built(tree: Tree, pyproject: Pyproject) -> Manifest:
    """Return the manifest of a project that only its own build can ask: it is installed as a whole."""
    from msgspec.structs import replace

    whole = _manifest(tree, pyproject, f"{PATH}:1", (".",), {})
    return replace(whole, needs_source=True, builds_project=True)


def _listed(tree: Tree, pyproject: Pyproject, named: tuple[Requirements, ...]) -> Manifest:
    """Return the manifest of a project whose dependencies stand in requirements files."""
    from msgspec.structs import replace

    paths = tuple(found.files[0] for found in named)
    words = tuple(word for path in paths for word in ("-r", requirements.file_word(path, PATH)))
    asked = {r.name: r for found in named for r in found.found}
    all_files = tuple(dict.fromkeys(path for found in named for path in found.files))
    return replace(
        _manifest(tree, pyproject, toml.line_of(tree, PATH, "dynamic"), words, asked),
        files=all_files,
        needs_source=any(found.local for found in named) or not files.copied_alone(all_files),
        exact=any(found.hashed for found in named),
        rewrite=tuple(path for found in named for path in found.rewrite),
    )
