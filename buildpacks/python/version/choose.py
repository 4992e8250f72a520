"""Choose among the Pythons on offer: bounds first, then what the pins can be installed on, then a developer's pins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from buildpacks.python.version.pins import Limit, pythons
from buildpacks.python.version.wish import Wish, is_python2, refused
from s2i.errors import E_PYTHON_VERSION
from s2i.planning.plan import Base, Decision, Rejected, Strength
from s2i.sources import Notice

SEEDED = 12  # up to Python 3.11 each environment had setuptools: https://docs.python.org/3/whatsnew/3.12.html
LISTED = 4  # other Pythons, with why each was not taken


class Version(msgspec.Struct, frozen=True):
    """The base that fits, the decision, and what was overruled.

    ``is_dated``: pins hold it back to a Python whose environments had setuptools without being asked.
    """

    base: Base
    decision: Decision
    notices: tuple[Notice, ...] = ()
    is_dated: bool = False


class _Lost(msgspec.Struct, frozen=True):
    """A source that was overruled, and why. ``loud``: what a person should do about it."""

    what: str
    where: str
    why: str
    loud: str = ""


def choose(
    asked: Sequence[Wish], offered: tuple[Base, ...], pins: Sequence[Limit] = (), *, enforced: bool = False
) -> Version:
    """Return the newest offered base that every wish and every pin allows. Raises E_PYTHON_VERSION (exit 4).

    On a conflict the pins of the dependencies win over the bounds of a file, unless the installer enforces those
    (``enforced``); both win over a developer's own pin, which is then met by the nearest Python.
    """
    bounds, hints = [w for w in asked if not w.hint], [w for w in asked if w.hint]
    _check(bounds, hints)
    newest = sorted(offered, key=_minor, reverse=True)
    fits = [b for b in newest if all(w.allows(_minor(b)) for w in bounds)]
    if not fits:
        raise _none(bounds, newest)
    left, lost = _meet_pins(fits, newest, bounds, pins, enforced)
    followed = [w for w in bounds if all(w.where != gone.where for gone in lost)]
    for hint in hints:
        left, gone = _meet_hint(hint, left, newest, followed, pins)
        lost += gone
        followed += [] if gone else [hint]
    # A newer one is not worth minutes of making it, but for one whose makers have ended it.
    base = next((b for b in left if b.obtain != "make" and not _eol(b)), left[0])
    decision = _decision(base, newest, followed, pins)
    rejected = (
        *(Rejected(gone.what, f"{gone.where}: {gone.why}") for gone in lost),
        *_others(base, newest, followed, pins),
    )
    overruled = [
        Notice(
            "W_PYTHON_ABSENT" if gone.loud else "W_PYTHON",
            f'"{gone.what}" is overruled: {gone.why}{gone.loud}',
            gone.where,
        )
        for gone in lost
    ]
    notices = (*overruled, *_unmet(base, pins), *_ended(base, decision))
    is_dated = _minor(base) < SEEDED and any(p.newest < SEEDED for p in pins)
    return Version(base, msgspec.structs.replace(decision, rejected=rejected), notices, is_dated)


def _check(bounds: Sequence[Wish], hints: Sequence[Wish]) -> None:
    """Refuse a Python that does not exist, and Python 2 unless something binds the source to 3."""
    minors = {int(p.minor.partition(".")[2]) for p in pythons()}
    for wish in (*bounds, *hints):
        if wish.minor is not None and wish.minor not in minors:
            raise E_PYTHON_VERSION(
                wanted=f'"{wish.said}": there is no such Python',
                offered=f"3.{min(minors)} to 3.{max(minors)} exist",
                where=wish.where,
            )
    for hint in hints:
        if is_python2(hint.text) and not bounds:
            raise refused(hint.text, hint.where)


def _none(bounds: Sequence[Wish], newest: Sequence[Base]) -> Exception:
    wanted = " and ".join(f'"{w.said}" ({w.where})' for w in bounds)
    listed = ", ".join(b.python for b in newest) or "none"
    return E_PYTHON_VERSION(wanted=wanted or "this source", offered=listed, where=bounds[0].where if bounds else "")


def _meet_pins(
    fits: list[Base], newest: list[Base], bounds: Sequence[Wish], pins: Sequence[Limit], enforced: bool
) -> tuple[list[Base], list[_Lost]]:
    """Return the bases that the pins allow, or else those that are nearest; and the bounds that had to give way."""
    good = [b for b in fits if not any(p.distance(_minor(b)) for p in pins)]
    if good:
        return good, []
    good = [b for b in newest if not any(p.distance(_minor(b)) for p in pins)]
    if good and not enforced:
        against = next(p for p in pins if p.distance(_minor(fits[0])))
        gone = [w for w in bounds if not w.allows(_minor(good[0]))]
        return good, [_Lost(w.said, w.where, against.said) for w in gone]
    best = min(_pain(b, pins) for b in fits)
    return [b for b in fits if _pain(b, pins) == best], []


def _pain(base: Base, pins: Sequence[Limit]) -> tuple[int, int]:
    """Return how far a base is from what the pins work on: first those that are sure, then the likely ones."""
    far = [(p.distance(_minor(base)), p.sure) for p in pins]
    return sum(d for d, sure in far if sure), sum(d for d, sure in far if not sure)


def _meet_hint(
    hint: Wish, left: list[Base], newest: Sequence[Base], followed: Sequence[Wish], pins: Sequence[Limit]
) -> tuple[list[Base], list[_Lost]]:
    """Return the bases that a developer's pin leaves; when it leaves none: all, or the nearest to a Python not here."""
    allowed = [b for b in left if hint.allows(_minor(b))]
    if allowed:
        return allowed, []
    minor = hint.minor
    why = _against(hint, newest, followed, pins)
    if why or minor is None:
        return left, [_Lost(hint.said, hint.where, why or "no Python on offer fits it")]
    newer = [b for b in left if _minor(b) > minor]
    nearest = newer[-1] if newer else left[0]
    loud = (
        f"; the nearest, {nearest.python}, is used. For the exact one get its base image (`s2i doctor` lists them), "
        f"or ask for {nearest.python}"
    )
    return [nearest], [_Lost(hint.said, hint.where, f"Python 3.{minor} is not offered here", loud)]


def _against(hint: Wish, newest: Sequence[Base], followed: Sequence[Wish], pins: Sequence[Limit]) -> str:
    """Say which source speaks against what a developer pinned; "" when only the offer does."""
    minors = [hint.minor] if hint.minor is not None else [_minor(b) for b in newest if hint.allows(_minor(b))]
    for minor in minors:
        for wish in followed:
            if not wish.allows(minor):
                return f'{wish.where} asks for "{wish.said}"'
        for pin in pins:
            if pin.distance(minor):
                return pin.said
    if is_python2(hint.text) and followed:
        return f'{followed[0].where} asks for "{followed[0].said}"'
    return ""


def _decision(base: Base, newest: Sequence[Base], followed: Sequence[Wish], pins: Sequence[Limit]) -> Decision:
    """Name the source that decided: an exact pin, or what excludes the next newer Python, or what was asked first."""
    exact = next((w for w in followed if w.minor is not None), None)
    if exact:
        return Decision("python", base.python, exact.where)
    newer = [b for b in newest if _minor(b) > _minor(base)]
    if newer:
        minor = _minor(newer[-1])
        bound = next((w for w in followed if not w.allows(minor)), None)
        limit = next((p for p in sorted(pins, key=lambda p: not p.sure) if p.distance(minor)), None)
        if bound is None and limit:
            strength: Strength = "strong" if limit.sure else "likely"
            return Decision("python", base.python, limit.where, strength)
        if bound:
            return Decision("python", base.python, bound.where)
    if followed:
        return Decision("python", base.python, followed[0].where)
    return Decision("python", base.python, "the newest offered", "likely")


def _others(base: Base, newest: Sequence[Base], followed: Sequence[Wish], pins: Sequence[Limit]) -> Iterator[Rejected]:
    for other in [b for b in newest if b is not base][:LISTED]:
        minor = _minor(other)
        wish = next((w for w in followed if not w.allows(minor)), None)
        limit = next((p for p in pins if p.distance(minor)), None)
        if wish:
            yield Rejected(other.python, f'{wish.where} asks for "{wish.said}"')
        else:
            unmade = minor > _minor(base) and other.obtain == "make"
            plain = "its base image would have to be made first" if unmade else "the newest that fits is taken"
            yield Rejected(other.python, limit.said if limit else plain)


def _unmet(base: Base, pins: Sequence[Limit]) -> Iterator[Notice]:
    """Say which pins the chosen Python does not meet: no base on offer does."""
    for pin in pins:
        if pin.distance(_minor(base)):
            use = f"3.{pin.newest} or older" if _minor(base) > pin.newest else f"3.{pin.oldest} or newer"
            sure = "will not work" if pin.sure else "will likely not install"
            text = f"{pin.pin} {sure} on Python {base.python}: it {pin.why}. Use Python {use}, or another release of it"
            yield Notice("W_PYTHON", text, pin.where)


def _ended(base: Base, decision: Decision) -> Iterator[Notice]:
    if eol := _eol(base):
        where = decision.origin if ":" in decision.origin else ""
        why = f"{where} leaves no newer one" if where else "no newer one is offered"
        yield Notice("W_PYTHON_EOL", f"Python {base.python} reached its end of life in {eol}; {why}", where)


def _eol(base: Base) -> str:
    return next((p.eol for p in pythons() if p.minor == base.python), "")


def _minor(base: Base) -> int:
    return int(base.python.partition(".")[2])
