"""Programs that run inside of an image, by the image's own Python (3.6 or newer), and say what they find.

Each is sent as text, so it imports nothing of s2i. What it finds it says on lines that begin with MARK: whatever else
is printed is the user's, who may print anything: nothing of it is believed without a check.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

MARK = "s2i-proof"


def program(name: Literal["probe", "classify", "resolve"]) -> str:
    """Return the text of a program, for ``python -c``."""
    return Path(__file__).with_name(f"{name}.py").read_text()


def marked(line: bytes) -> tuple[str, str] | None:
    """Return the word and the value of a line that one of the programs said, None for anything else."""
    mark, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
    word, _, value = rest.partition(" ")
    return (word, value) if mark == MARK and word else None
