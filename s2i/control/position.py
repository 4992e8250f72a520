"""How far the log of one container was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from s2i.engines.engine import Line


class Position:
    """The time of the last line that was read, and how many lines of that time were: several can have the same."""

    def __init__(self) -> None:
        self.at = ""
        self._same = 0

    def passing(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield ``lines``, all of which are read for the first time."""
        for line in lines:
            if line.at > self.at:
                self.at, self._same = line.at, 0
            self._same += line.at == self.at
            yield line

    def beyond(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Yield those of ``lines``, read from this time or from the beginning, that were not read before."""
        at, read = self.at, self._same
        for line in lines:
            if line.at < at:
                continue
            if line.at == at and read:
                read -= 1
                continue
            yield from self.passing((line,))
