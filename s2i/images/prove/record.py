"""Which images are proven already, and with which configuration: a small file each in the state folder."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

import msgspec

from s2i import dirs
from s2i.images.prove.proof import Proof
from s2i.planning.plan import BuildPlan
from s2i.resources.app import Config

VERSION = 1  # of what a proof looks at: what an older one has not seen counts for nothing
KEEP = 200


def key(image: str, plan: BuildPlan, config: Config) -> str:
    """Return the name of the record: the same image, run in the same way. No value of ``config`` can be read off it."""
    facts = msgspec.json.encode((VERSION, image, plan.kind, plan.entry, plan.start, config))
    return hashlib.sha256(facts).hexdigest()


def find(name: str) -> Proof | None:
    """Return the proof that was kept under ``name``, None when there is none that can be read."""
    try:
        return msgspec.json.decode(_place(name).read_bytes(), type=Proof)
    except (OSError, msgspec.MsgspecError):
        return None


def keep(name: str, proof: Proof) -> None:
    """Keep a proof that went well, without the lines of any log; the oldest beyond KEEP go."""
    if not proof.proven:
        return
    folder = dirs.make_private(dirs.state() / "proofs")
    made = _place(name)
    part = made.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(msgspec.structs.replace(proof, seen=None, log=())))
    part.replace(made)
    kept = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for old in kept[:-KEEP]:
        with contextlib.suppress(OSError):
            old.unlink()


def _place(name: str) -> Path:
    return dirs.state() / "proofs" / f"{name}.json"
