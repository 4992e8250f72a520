"""Whether a lock, or hashes, say exactly which files are installed."""

from __future__ import annotations

from buildpacks.python import requirements
from buildpacks.python.manifest import Manifest
from s2i.errors import E_LOCK
from s2i.sources import Tree

_HASHED = "`uv pip compile --generate-hashes requirements.in -o requirements.txt` (requirements.in: what you ask for)"
_MADE_BY = {
    "requirements.txt": _HASHED,
    "none": _HASHED,
    "poetry": "`poetry lock`",
    "pipenv": "`pipenv lock`",
}


def holds(tree: Tree, manifest: Manifest) -> bool:
    """Say whether all that ``manifest`` asks for is pinned to its files."""
    if manifest.manager == "requirements.txt":
        return manifest.exact and requirements.read(tree, manifest.words[1]).all_hashed
    return manifest.exact and not manifest.stale


def require(tree: Tree, manifest: Manifest, extra: tuple[str, ...]) -> None:
    """Refuse what is not installed from a lock; ``extra`` is what s2i would add. Raises E_LOCK (exit 3)."""
    path = manifest.decision.origin.partition(":")[0]
    made_by = _MADE_BY.get(manifest.manager, "`uv lock`")
    if manifest.stale:
        why = next(
            (notice.message.partition(". ")[0] for notice in manifest.notices if notice.code == "W_LOCK_STALE"), ""
        )
        raise E_LOCK(
            why=why or "the lock is out of date", fix=f"make it anew: {made_by}", where=manifest.decision.origin
        )
    if not holds(tree, manifest):
        what = f"{path} does not pin every file by its hash" if path in tree else "the source has no lock"
        raise E_LOCK(why=what, fix=f"make a lock and commit it: {made_by}", where="")
    if extra:
        why = f"{', '.join(extra)} would be installed beside the lock"
        raise E_LOCK(why=why, fix=f"add it to the dependencies and lock them again: {made_by}", where="")
