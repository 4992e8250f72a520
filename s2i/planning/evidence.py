"""Evidence: what was seen that speaks for a value. Decisions are made of it, and keep what lost and why."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from s2i.planning.plan import Decision, Rejected, Strength

_ORDER: dict[Strength, int] = {"strong": 0, "likely": 1, "weak": 2}


class Evidence(msgspec.Struct, frozen=True):
    """``value`` because of ``origin`` (``file:line``, or a rule's name); ``against`` is shown when it loses."""

    value: str
    origin: str
    strength: Strength = "strong"
    against: str = ""


def decide(what: str, seen: Sequence[Evidence]) -> Decision:
    """Choose the strongest evidence, the first of equals; what speaks for another value is kept as rejected."""
    best, *others = sorted(seen, key=lambda e: _ORDER[e.strength])
    lost = tuple(
        Rejected(e.value, e.against or f"weaker than {best.origin}", e.origin) for e in others if e.value != best.value
    )
    return Decision(what, best.value, best.origin, best.strength, lost)
