"""Where the files beside an image are: a folder for each image that was built here, under the state folder.

plan.json, Dockerfile and provenance.json are there from the start, sbom.cdx.json once somebody has asked for it.

A build that gives an image which has its folder already writes nothing: it only says, by the folder's time, that the
image was built again.
"""

from __future__ import annotations

import os
from pathlib import Path

from s2i import dirs

PLAN, DOCKERFILE, PROVENANCE, SBOM = "plan.json", "Dockerfile", "provenance.json", "sbom.cdx.json"
SHORT = 12  # hexadecimal digits that name a folder, as engines shorten ids


def home() -> Path:
    """Return the folder of all of them."""
    return dirs.state() / "images"


def folder_of(image: str) -> Path:
    """Return where the files of an image are, or would be. ``image`` as an engine gives it: ``sha256:...``."""
    return home() / image.rpartition(":")[2][:SHORT]


def known(image: str) -> bool:
    """Say whether ``image`` was built here before; when it was, note that it was built again. Costs microseconds."""
    try:
        os.utime(folder_of(image))
    except OSError:
        return False
    return True


def forget(image: str) -> None:
    """Remove the files beside an image."""
    import shutil  # as in s2i.shell: seldom wanted, and not cheap

    shutil.rmtree(folder_of(image), ignore_errors=True)
