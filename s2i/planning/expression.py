"""Expressions of a module, as far as they can say what a name holds. ``reading`` makes them, ``values`` follows them.

Names are dotted and resolved through the imports of their module: ``f.FastAPI`` is Name("fastapi.FastAPI").
"""

from __future__ import annotations

import msgspec


class Name(msgspec.Struct, frozen=True):
    """A dotted name: of another distribution, of this source, or of the module itself ("shop.web.app")."""

    dotted: str


class Literal(msgspec.Struct, frozen=True):
    """A text or a whole number, as it is written."""

    value: str | int


class Call(msgspec.Struct, frozen=True):
    """``function(*arguments)``. Keyword arguments stand behind the others, without their names."""

    function: Expression | None
    arguments: tuple[Expression, ...] = ()


class Attribute(msgspec.Struct, frozen=True):
    """``of.name``, where ``of`` is no plain name."""

    of: Expression
    name: str


class Item(msgspec.Struct, frozen=True):
    """``of[index]``: also what a name in ``a, b = of`` holds."""

    of: Expression
    index: int


class Group(msgspec.Struct, frozen=True):
    """A tuple or list."""

    items: tuple[Expression | None, ...]


class Either(msgspec.Struct, frozen=True):
    """One of several: ``a or b``, ``a if c else b``."""

    options: tuple[Expression, ...]


Expression = Name | Literal | Call | Attribute | Item | Group | Either


def last(expression: Expression | None) -> str:
    """Return the last part of what is named: "listen" of ``server.listen``; "" of what has no name."""
    match expression:
        case Name(dotted):
            return dotted.rpartition(".")[2]
        case Attribute(_, name):
            return name
    return ""


def text(expression: Expression | None) -> str:
    """Return a text literal, "" for anything else."""
    return expression.value if isinstance(expression, Literal) and isinstance(expression.value, str) else ""
