"""What the decisions of a plan are about, in words: the table decisions.toml."""

from __future__ import annotations

from pathlib import Path

import msgspec

from s2i.planning import toml


class Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of decisions.toml. ``setting`` is the key of s2i.toml, ``form`` what its value has to be, in words.

    ``example`` is such a value, as TOML.
    """

    what: str
    asks: str
    about: str
    setting: str = ""
    form: str = ""
    example: str = ""
    flip: str = ""


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    decision: tuple[Known, ...]


def decisions() -> dict[str, Known]:
    """Return the table by the decision's name, in the order in which they are shown."""
    table = toml.load(Path(__file__).with_name("decisions.toml"), _Table)
    return {known.what: known for known in table.decision}


def settings() -> dict[str, Known]:
    """Return the rows that a key of s2i.toml decides, by that key."""
    return {known.setting: known for known in decisions().values() if known.setting}
