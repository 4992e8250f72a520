"""Which installed distribution needs which. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from s2i.images.carried.inventory import Distribution, normalized

ROUNDS = 50  # of looking again; more than a few means that somebody made it so


def needs(installed: Sequence[Distribution], python: str) -> dict[str, tuple[str, ...]]:
    """Return, by its name, the names of those that each needs, as far as they are installed.

    ``python`` is "3.13.5", "" when it is not known. A requirement behind an extra counts when somebody asks for that
    extra; so what one asks for can bring in what another needs, and it is looked at again until nothing is new.
    """
    there = {one.name: one for one in reversed(installed)}
    environment = _environment(python)
    asked: dict[str, frozenset[str]] = dict.fromkeys(there, frozenset())
    for _ in range(ROUNDS):
        found = {name: tuple(_required(one, asked[name], environment)) for name, one in there.items()}
        wanted = {name: set(extras) for name, extras in asked.items()}
        for needed in found.values():
            for name, extras in needed:
                if name in wanted:
                    wanted[name] |= extras
        again = {name: frozenset(extras) for name, extras in wanted.items()}
        if again == asked:
            break
        asked = again
    return {name: tuple(sorted({n for n, _ in found[name] if n in there and n != name})) for name in there}


def roots(needed: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the distributions that no other one needs: what the project itself asks for, at least."""
    children = {name for names in needed.values() for name in names}
    return tuple(name for name in needed if name not in children)


def _required(
    one: Distribution, extras: frozenset[str], environment: dict[str, str]
) -> Iterator[tuple[str, frozenset[str]]]:
    from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    for text in one.requires:
        try:
            asks = Requirement(text)
            values = ("", *extras)
            if asks.marker and not any(asks.marker.evaluate({**environment, "extra": extra}) for extra in values):
                continue
        except (InvalidRequirement, InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
            continue
        yield normalized(asks.name), frozenset(normalized(extra) for extra in asks.extras)


def _environment(python: str) -> dict[str, str]:
    """Return the markers' values in an image, whatever this machine is."""
    fixed = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "sys_platform": "linux",
    }
    if python:
        short = ".".join(python.split(".")[:2])
        fixed |= {"python_version": short, "python_full_version": python, "implementation_version": python}
    return fixed
