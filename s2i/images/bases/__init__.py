"""Base images: which there are, and how to get the ones that are missing (pull, or make from Debian's packages).

Planning reads ``offered`` and must stay fast: what talks to an engine is imported when it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s2i.images.bases.offer import offered, refresh
from s2i.planning.plan import Base

__all__ = ["defaults", "ensure", "make", "offered", "refresh"]


def defaults() -> tuple[str, ...]:
    """Return the Pythons that `s2i doctor --fix` sees to, newest first."""
    from s2i.images.bases import table

    return table.defaults()


def ensure(pythons: Sequence[str], say: Callable[[str], None]) -> tuple[Base, ...]:
    """Make sure that the engine has a base image of each of ``pythons`` ("3.13"); return what is offered now.

    Says one line for each action; does nothing for what is there. Raises E_BASE (none can be had), E_DOCKER.
    """
    from s2i.images.bases import obtain

    return obtain.ensure(pythons, say)


def make(python: str, say: Callable[[str], None] = lambda line: None) -> Base:
    """Make both base images of ``python`` from Debian's packages, whatever there was before.

    Needs mmdebstrap and debian-archive-keyring: installs them where it may. Raises E_BASE, E_DOCKER.
    """
    from s2i.images.bases import obtain

    return obtain.make(python, say)
