"""Programs that run inside of an image, by the image's own Python (3.6 or newer), and say what they find.

Each is sent as text, so it imports nothing of s2i. What it finds it says on lines that begin with MARK and a word that
nobody else knows, its first argument: whatever else is printed is the user's. As the user's code runs in the same
process, nothing of it is believed without a check: who lies is served by what they said.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Literal

MARK = "s2i-proof"


class Program:
    """One run of a program: the words after ``python``, and the only one who knows its lines."""

    def __init__(self, name: Literal["probe", "classify", "resolve"], *words: str) -> None:
        self._sign = secrets.token_hex(8)
        self.words = ("-c", Path(__file__).with_name(f"{name}.py").read_text(), self._sign, *words)

    def said(self, line: bytes) -> tuple[str, str] | None:
        """Return the word and the value of a line that the program said, None for anything else."""
        mark, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
        sign, _, rest = rest.partition(" ")
        word, _, value = rest.partition(" ")
        return (word, value) if (mark, sign) == (MARK, self._sign) and word else None
