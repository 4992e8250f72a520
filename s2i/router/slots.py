"""Slot files: where an app's requests go, switched all at once without telling the proxy.

``ROOT/PROJECT/APP/cur`` is a link to a folder with the files 0 … 19; each holds one "ip:port". The proxy reads a
file for every request. A switch writes a new folder and replaces the link.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from s2i.router.router import SLOTS

CLOSED = "127.0.0.1:1"  # nobody listens there: refused at once, and the proxy asks the gate
CURRENT = "cur"


def write(root: Path, project: str, app: str, shares: Mapping[str, int]) -> None:
    """Give each address its share of the slots, spread evenly; {} closes them all. Atomic."""
    if sum(shares.values()) not in (0, SLOTS) or min(shares.values(), default=0) < 0:
        raise ValueError(f"shares are slots and sum up to {SLOTS}, not {dict(shares)}")
    folder = root / project / app
    folder.mkdir(parents=True, exist_ok=True)
    last = generation(root, project, app)
    new = folder / str(last + 1)
    shutil.rmtree(new, ignore_errors=True)  # of a writer that was killed
    new.mkdir()
    for slot, address in enumerate(_spread(shares)):
        (new / str(slot)).write_text(address)
    link = folder / "next"
    link.unlink(missing_ok=True)
    link.symlink_to(new.name)
    link.replace(folder / CURRENT)
    # The generation before stays: a request may be between reading the link and opening the file.
    for old in folder.iterdir():
        if old.name.isdecimal() and int(old.name) not in (last, last + 1):
            shutil.rmtree(old, ignore_errors=True)


def read(root: Path, project: str, app: str) -> dict[str, int]:
    """Return the shares in force; {} when closed, or when there are no slots."""
    current = root / project / app / CURRENT
    found: collections.Counter[str] = collections.Counter()
    for slot in range(SLOTS):
        with contextlib.suppress(OSError):
            found[(current / str(slot)).read_text()] += 1
    del found[CLOSED]
    return dict(found)


def remove(root: Path, project: str, app: str) -> None:
    """Remove the app's slots."""
    shutil.rmtree(root / project / app, ignore_errors=True)
    with contextlib.suppress(OSError):
        (root / project).rmdir()


def generation(root: Path, project: str, app: str) -> int:
    """Return the number of the switch that is in force; 0 when there are no slots."""
    try:
        return int(os.readlink(f"{root}/{project}/{app}/{CURRENT}"))  # noqa: PTH115 - asked for every app at every look
    except (OSError, ValueError):
        return 0


def _spread(shares: Mapping[str, int]) -> list[str]:
    if not sum(shares.values()):
        return [CLOSED] * SLOTS
    places = (((turn + 0.5) / count, address) for address, count in shares.items() for turn in range(count))
    return [address for _, address in itertools.islice(sorted(places), SLOTS)]
