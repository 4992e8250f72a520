"""The stages of an environment in two layers: find exact versions, install the large ones, then the rest.

The stage of the large ones starts from nothing but their exact versions. So a builder that knows files by what is in
them does it again only when one of those changes, whatever else does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from buildpacks.python import install, layer, steps
from buildpacks.python.install import EXPORTED
from buildpacks.python.manifest import Manifest
from buildpacks.python.rewrite import picked, picked_with_hashes, rewrite
from s2i.planning.plan import Copy, Run, Step, Words

if TYPE_CHECKING:
    from buildpacks.python.steps import Parts

HEAVY = "/tmp/heavy.txt"  # noqa: S108 - in a stage of the build, which is thrown away
_FOLDER = "/tmp/"  # noqa: S108 - the same
_ASKED = "/tmp/asked.txt"  # noqa: S108 - the same


def split_steps(parts: Parts) -> Iterator[Step]:
    """Yield the stages "resolve" and "heavy"."""
    manifest, base = parts.manifest, parts.base
    yield from steps.copy_files(manifest.files, "resolve")
    pins = manifest.files[0] if _is_pinned(manifest) else EXPORTED
    runs = [*rewrite(manifest, base.interpreter), *_exact(parts)]
    why = "Pick the large distributions"
    if _is_pinned(manifest) or manifest.manager in ("uv", "poetry", "pipenv"):
        command = picked_with_hashes(base.interpreter, pins, HEAVY, parts.heavy.names)
    else:
        command = picked(pins, HEAVY, parts.heavy.names)
    runs.append(Run("resolve", why, command))
    yield steps.merged("resolve", runs)
    yield Copy("heavy", "Take the exact versions of the large distributions", (HEAVY,), _FOLDER, from_stage="resolve")
    heavy = install.pip(manifest, "Install the large distributions", ("--no-deps", "-r", HEAVY))
    ending = layer.collected("heavy", base.python, parts.pruned)
    yield steps.merged("heavy", [steps.make_venv(base, "heavy"), heavy], ending)


def rest(parts: Parts) -> tuple[list[Step], list[Run]]:
    """Return the copies and the commands of the stage that installs what is not there yet."""
    manifest = parts.manifest
    if _is_pinned(manifest) or manifest.manager == "uv":
        copies: list[Step] = [*steps.copy_files(manifest.files, "build")]
        return copies, [*rewrite(manifest), *install.dependencies(manifest, parts.base, parts.extra)]
    taken = Copy("build", "Take the exact versions of all dependencies", (EXPORTED,), _FOLDER, from_stage="resolve")
    runs = [install.pip(manifest, "Install the other dependencies", ("--no-deps", "-r", EXPORTED))]
    if parts.extra and manifest.manager in ("poetry", "pipenv"):
        runs.append(install.pip(manifest, "Install what the source needs and does not declare", parts.extra))
    return [taken], runs


def _is_pinned(manifest: Manifest) -> bool:
    """Say whether requirements.txt itself has exact versions, and their hashes."""
    return manifest.manager == "requirements.txt" and manifest.exact


def _exact(parts: Parts) -> Iterator[Run]:
    """Yield what writes the exact versions of all dependencies to EXPORTED; nothing for what has them already."""
    manifest, base = parts.manifest, parts.base
    match manifest.manager:
        case "uv":
            yield install.uv_export(manifest, base)
        case "poetry" | "pipenv":
            yield install.export(manifest, base)
        case _ if not _is_pinned(manifest):
            yield _compiled(parts)


def _compiled(parts: Parts) -> Run:
    """Return what resolves requirements: files, and words of their own, which go by a file as well."""
    words = (*parts.manifest.words, *parts.extra)
    files = tuple(word for index, word in enumerate(words) if index and words[index - 1] == "-r")
    others = tuple(word for word in words if word != "-r" and word not in files)
    before: tuple[Words, ...] = ()
    if others:
        before = (("sh", "-c", f'for line do echo "$line"; done >{_ASKED}', "sh", *others),)
        files = (*files, _ASKED)
    run = install.uv_compile(parts.manifest, parts.base, files)
    first, *then = (*before, *run.commands)
    return msgspec.structs.replace(run, argv=first, then=tuple(then))
