"""The lines of a log that several containers wrote: each begins with who wrote it."""

from __future__ import annotations

import click

from s2i.cli.output import safe

COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")


class Prefixes:
    """The beginnings of lines: the instance's name, in a colour of its own on a terminal."""

    def __init__(self) -> None:
        self._colours: dict[str, str] = {}

    def of(self, instance: str) -> str:
        """Return the beginning of a line of ``instance``."""
        colour = self._colours.setdefault(instance, COLOURS[len(self._colours) % len(COLOURS)])
        width = max(map(len, self._colours))
        return click.style(f"{safe(instance):<{width}} | ", fg=colour)
