"""The indices of an array: "1-5,8" and the numbers that it stands for. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from s2i.errors import E_VALUE, S2IError
from s2i.patterns import lazily

MOST = 1000  # indices of one run
LAST = 9_999_999  # Code Engine's own
_PART = lazily(r"(0|[1-9][0-9]{0,6})(?:-(0|[1-9][0-9]{0,6}))?")


def parse(text: str, what: str = "--array-indices") -> tuple[int, ...]:
    """Return the indices that ``text`` names, in order, each once. Raises E_VALUE."""
    found: set[int] = set()
    for word in text.split(","):
        part = _PART.fullmatch(word.strip())
        if not part:
            raise _refused(what, text, f'"{word.strip()}" is no index and no range: write it like 1-5,8')
        first, last = int(part[1]), int(part[2] or part[1])
        if last < first:
            raise _refused(what, text, f"{first}-{last} runs backwards")
        if last - first >= MOST or len(found := found | set(range(first, last + 1))) > MOST:
            raise _refused(what, text, f"it names more than {MOST} indices")
    return tuple(sorted(found))


def of_size(size: int, what: str = "--array-size") -> str:
    """Return the indices of an array of ``size``: 0 to one less. Raises E_VALUE."""
    if not 1 <= size <= MOST:
        raise _refused(what, str(size), f"it is not between 1 and {MOST}")
    return written(range(size))


def written(indices: Iterable[int]) -> str:
    """Return indices as a person writes them: "1-5,8"."""
    parts: list[list[int]] = []
    for index in sorted(indices):
        if parts and index == parts[-1][1] + 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    return ",".join(f"{first}" if first == last else f"{first}-{last}" for first, last in parts)


def _refused(what: str, text: str, why: str) -> S2IError:
    return E_VALUE(what=what, value=text, why=why, command="jobrun submit")
