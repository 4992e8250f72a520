"""What was built before: an unchanged source gives the image that is there, a changed line is known to be little work.

One small file a source, in the cache: it can go at any time, and a build is then a bit slower.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

import s2i
from s2i import assets, dirs
from s2i.engines.docker import connection
from s2i.errors import S2IError
from s2i.images import admission, bases
from s2i.images.carried import folder
from s2i.images.events import Image, StepResult
from s2i.images.request import BuildRequest
from s2i.planning.plan import BuildPlan, Copy, Run
from s2i.sources import Tree

KNOWLEDGE = (".py", ".toml", ".j2")
# What of a request says nothing about the image.
_APART = ("tags", "timeout", "cache", "client", "push", "project", "run", "limits", "remembered")


class Made(msgspec.Struct, frozen=True):
    """One build that went well. ``key`` stands for all that the image follows from.

    ``installs`` stands for what is below the source in it; ``recipe`` is the Dockerfile that was built. ``bases``: the
    image ID of each base, by name.
    """

    key: str
    installs: str
    recipe: str
    plan: BuildPlan
    image: Image
    bases: dict[str, str]


def recall(tree: Tree, request: BuildRequest) -> Made | None:
    """Return the build of the same source in the same way, when its image and its bases are the engine's still.

    The tags of its image are all names that the engine has for it now. Never that of a saved plan: the file can have
    changed.
    """
    if not request.cache or request.planning.saved:
        return None
    # Asked for in any case: what is planned next is held against what the files are now.
    now, made = key(tree, request), _read(_place(tree, request))
    if made is None or made.key != now:
        return None
    engine = connection.wire()
    names: tuple[str, ...] = ()
    for name, identity in (*made.bases.items(), (made.image.id, made.image.id)):
        found = admission.look(engine, name)
        if found is None or found["Id"] != identity:
            return None
        names = tuple(found.get("RepoTags") or ())
    return msgspec.structs.replace(made, image=msgspec.structs.replace(made.image, tags=names))


def give(made: Made, request: BuildRequest) -> Image:
    """Return the image of ``made``, as recall found it, with the names that ``request`` wants for it."""
    folder.known(made.image.id)  # notes that it was built again
    # An engine writes its list of all names anew for each that it is told, even for one that is there.
    if missing := tuple(tag for tag in request.tags if tag not in made.image.tags):
        admission.name(connection.wire(), made.image.id, missing)
    steps = tuple(StepResult(step.name, True, 0.0) for step in made.image.steps)
    return msgspec.structs.replace(made.image, tags=request.tags, steps=steps, seconds=0.0)


def recipe(tree: Tree, plan: BuildPlan, request: BuildRequest) -> str:
    """Return the Dockerfile to build when every layer below the source was built before, else ""."""
    if not request.cache or request.platform or plan.dockerfile:
        return ""
    made = _read(_place(tree, request))
    if made is None or not made.installs or made.installs != _installs(tree, plan):
        return ""
    return made.recipe if _shape(made.plan) == _shape(plan) else ""


def key(tree: Tree, request: BuildRequest) -> str:
    """Return what stands for all that the image of ``tree`` follows from. Reads every file, once for a tree."""
    asked = {name: value for name, value in msgspec.structs.asdict(request).items() if name not in _APART}
    if request.secrets:
        from s2i.images.private.secrets import fingerprint

        asked["secrets"] = fingerprint(request.secrets)
    return _sha(asked, tree.origin, tree.digest(), bases.offered(), _program())


def remember(
    tree: Tree, plan: BuildPlan, request: BuildRequest, image: Image, found: Mapping[str, str], text: str, before: str
) -> None:
    """Keep that ``image`` was made. ``found``: the image ID of each base; ``text``: see Made.recipe.

    ``before``: the key before anything was copied. Of a source that was written to since it was first read nothing is
    kept: what it holds now is not what the image is made of.
    """
    if not request.remembered:
        return
    try:
        if key(tree, request) != before or not tree.unchanged():
            return
        installs = _installs(tree, plan)
    except S2IError:  # a file is gone: the image stands all the same
        return
    made = Made(before, installs, text, plan, image, dict(found))
    place = _place(tree, request)
    dirs.make_private(place.parent)
    dirs.write(place, msgspec.json.encode(made))


def _read(place: Path) -> Made | None:
    try:
        return msgspec.json.decode(place.read_bytes(), type=Made)
    except (OSError, msgspec.MsgspecError):
        return None


def _place(tree: Tree, request: BuildRequest) -> Path:
    origin = tree.origin
    name = _sha(origin.kind, origin.place, origin.subdir, msgspec.structs.astuple(request.planning), request.namespace)
    return dirs.cache() / "made" / f"{name[:32]}.json"


def _installs(tree: Tree, plan: BuildPlan) -> str:
    """Return a key of the steps up to the copy of the whole source, and of the files that they copy."""
    tree = tree.subtree(plan.subdir) if plan.subdir else tree
    parts: list[Any] = [plan.base, plan.env, plan.subdir, _program()]
    for step in plan.steps:
        if isinstance(step, Copy) and "." in step.sources and step.from_stage is None and not step.image:
            if step.stage == "runtime":
                break
            return ""  # they depend on all of it: never warm
        parts.append(step)
        if isinstance(step, Copy) and step.from_stage is None and not step.image:
            parts += [hashlib.sha256(data).hexdigest() for data in _files(tree, step.sources)]
    else:
        return ""
    after = plan.steps[plan.steps.index(step) :]
    return "" if any(isinstance(step, Run) and step.mounts for step in after) else _sha(*parts)


def _files(tree: Tree, paths: tuple[str, ...]) -> Iterator[bytes]:
    for path in paths:
        for entry in tree.files:
            if entry.path == path or entry.path.startswith(f"{path}/"):
                yield tree.read(entry.path, entry.size)


def _shape(plan: BuildPlan) -> tuple[object, ...]:
    """Return all of a plan that its Dockerfile is made of: decisions move with the lines of the source."""
    return plan.base, plan.env, plan.steps, plan.start, plan.port, plan.subdir, plan.workdir


@functools.cache
def _program() -> str:
    """Return what tells this s2i from another: its version, and in a checkout the state of its files."""
    folders = [os.path.dirname(s2i.__file__), str(assets.folder("buildpacks")), str(assets.folder("templates"))]  # noqa: PTH120
    states = []
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name.endswith(KNOWLEDGE):
                    states.append((entry.path, entry.stat().st_mtime_ns))
    return _sha(s2i.__version__, sorted(states))


def _sha(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, enc_hook=str)).hexdigest()
