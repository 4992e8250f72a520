"""The compiler: a Tree and what the engine offers in, a BuildPlan out."""

from __future__ import annotations

import msgspec

from s2i.errors import E_AMBIGUOUS, E_NO_ENTRY, E_NOT_PYTHON, E_SUBDIR, E_UNSUPPORTED, E_VALUE, S2IError
from s2i.patterns import lazily
from s2i.planning import buildpack, settings
from s2i.planning.plan import Base, BuildPlan, Decision, Rejected
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

_PLACE = lazily(r"(?<![\w./-])([\w.-][\w./-]*):\d+")  # path:line, as decisions and notices name it
# Refusals that mean "not mine": the next buildpack may fit. Any other is an answer about this very source.
_NOT_MINE = (E_NOT_PYTHON, E_NO_ENTRY, E_UNSUPPORTED)
MOST_PLACES = 40  # folders that are looked into below a root with nothing to run
ENOUGH = 6  # of them that could be served are listed, and the rest is not looked at


def compile(  # noqa: A001
    tree: Tree,
    offered: tuple[Base, ...],
    strategy: str = "auto",
    learnt: Given | None = None,
    *,
    locked: bool = False,
) -> BuildPlan:
    """Return the plan of a source; ``strategy`` is "auto" or the name of a buildpack; ``locked``: see Given.

    ``learnt`` is what the proof of an image of this source has shown: it holds as if s2i.toml said it.

    When the root has nothing to run, the folders below it that look like sources of their own are tried: one that fits
    is used and said, several are listed. Raises the refusal of the first buildpack when none fits (exit 4), or what is
    wrong with a file (exit 3).
    """
    given = settings.read(tree)
    if learnt:
        given = learnt.over(given)
    given = msgspec.structs.replace(given, locked=locked)
    if given.settings.subdir:
        return _named(tree, given, offered, strategy)
    try:
        plan = _compile(tree, given, offered, strategy)
    except S2IError as refusal:
        if refusal.kind not in (*_NOT_MINE, E_AMBIGUOUS) or _decides(given) or strategy not in ("auto", "python"):
            raise
        return _below(tree, given, offered, strategy, refusal)
    looks = plan.manager == "none" and not _decides(given)  # a manifest at the root speaks for all of the source
    inside = [p for p in _places(tree) if _stands_in(plan, p)] if looks else []
    return _below(tree, given, offered, strategy, None) if inside else plan


def _decides(given: Given) -> bool:
    """Say whether somebody has said what of the root is run: then nothing below it is looked at."""
    return bool(given.settings.entry or given.settings.start or given.settings.manager)


def _compile(tree: Tree, given: Given, offered: tuple[Base, ...], strategy: str) -> BuildPlan:
    """Return the plan of a tree as it stands, by the first buildpack that fits."""
    known = buildpack.known()
    names = tuple(about.name for about in known)
    if strategy != "auto":
        if strategy not in names:
            raise E_VALUE(what="strategy", value=strategy, why=f"there are auto, {', '.join(names)}", command="plan")
        names = (strategy,)
    refusals: list[S2IError] = []
    for name in names:
        pack = buildpack.load(name)
        try:
            found = pack.detect(tree, given, offered)
        except S2IError as refusal:
            if refusal.kind not in _NOT_MINE:
                raise
            refusals.append(refusal)
            continue
        later = names[names.index(name) + 1 :]
        others = [a.name for a in known if a.name in later and any(file in tree for file in a.says_of)]
        notices = tuple(notice for other in others for notice in buildpack.load(other).passed_over(tree))
        return _finished(pack.plan(tree, found), tree, notices, strategy, names, refusals)
    raise refusals[0]


def _named(tree: Tree, given: Given, offered: tuple[Base, ...], strategy: str) -> BuildPlan:
    """Return the plan of the folder that s2i.toml names. Raises E_SUBDIR (exit 3)."""
    folder, where = given.settings.subdir.strip("/"), given.where(tree, "subdir")
    inner = tree.subtree(folder)
    if not inner.files:
        raise E_SUBDIR(subdir=folder, place="the source", folders="", where=where)
    plan = _compile(inner, given.within(settings.read(inner)), offered, strategy)
    return _in_folder(tree, plan, folder, Decision("subdir", folder, where))


def _below(tree: Tree, given: Given, offered: tuple[Base, ...], strategy: str, refusal: S2IError | None) -> BuildPlan:
    """Return the plan of the one folder below the root that can be planned. Raises E_AMBIGUOUS, or ``refusal``."""
    plans: list[tuple[str, BuildPlan]] = []
    for place in _places(tree):
        inner = tree.subtree(place)
        try:
            plans.append((place, _compile(inner, given.within(settings.read(inner)), offered, strategy)))
        except S2IError as why:
            refusal = refusal or why
        if sum(plan.kind != "job" for _, plan in plans) > ENOUGH:
            break
    fits = [found for found in plans if found[1].kind != "job"] or plans
    if not fits and refusal:
        raise refusal
    if len(fits) == 1:
        place, plan = fits[0]
        lost = tuple(Rejected(other, f"it is a {p.kind}: {p.entry}") for other, p in plans if other != place)
        return _in_folder(
            tree, plan, place, Decision("subdir", place, "the only one with something to serve", "likely", lost)
        )
    lines = [f"{place}: {plan.entry} ({plan.kind}, {plan.framework})" for place, plan in fits[:ENOUGH]]
    lines += ["and more"] if len(fits) > ENOUGH else []
    first = fits[0][0]
    named = f"SRC#{first}" if tree.origin.kind == "git" else f"--context-dir {first}"
    advice = f'name one: {named}, or write subdir = "{first}" into s2i.toml'
    raise E_AMBIGUOUS(what="folder", candidates=lines, advice=advice, line="")


def _in_folder(tree: Tree, plan: BuildPlan, folder: str, decision: Decision) -> BuildPlan:
    """Return the plan of a folder as one of the whole source: what it says of files is said from the root."""

    def seen(text: str) -> str:
        return _PLACE.sub(lambda m: f"{folder}/{m[0]}" if f"{folder}/{m[1]}" in tree else m[0], text)

    def lost(gone: Rejected) -> Rejected:
        return msgspec.structs.replace(gone, why=seen(gone.why), origin=seen(gone.origin))

    decisions = tuple(
        msgspec.structs.replace(d, origin=seen(d.origin), rejected=tuple(map(lost, d.rejected))) for d in plan.decisions
    )
    warnings = tuple(Notice(w.code, seen(w.message), seen(w.where)) for w in plan.warnings)
    return msgspec.structs.replace(plan, subdir=folder, decisions=(decision, *decisions), warnings=warnings)


def _places(tree: Tree) -> tuple[str, ...]:
    places = [place for name in buildpack.names() for place in buildpack.load(name).places(tree)]
    return tuple(dict.fromkeys(places))[:MOST_PLACES]


def _stands_in(plan: BuildPlan, place: str) -> bool:
    origin = next((d.origin for d in plan.decisions if d.what == "entry"), "")
    return origin.startswith(f"{place}/")


def _finished(
    plan: BuildPlan,
    tree: Tree,
    notices: tuple[Notice, ...],
    strategy: str,
    names: tuple[str, ...],
    refusals: list[S2IError],
) -> BuildPlan:
    """Put the choice of the buildpack in front of the decisions, and what the tree had to say behind the warnings."""
    lost = tuple(Rejected(name, str(refusal)) for name, refusal in zip(names, refusals, strict=False))
    origin = "--strategy" if strategy != "auto" else "nothing else fits" if lost else "the first that fits"
    chosen = Decision("buildpack", plan.buildpack, origin, "strong", lost)
    return msgspec.structs.replace(
        plan,
        decisions=(chosen, *plan.decisions),
        warnings=(*tree.notices, *plan.warnings, *notices, *_base(plan.base)),
    )


def _base(base: Base | None) -> tuple[Notice, ...]:
    if base is None or base.obtain != "make":
        return ()
    text = f"the base image of Python {base.python} is not here yet: the build makes it first, in about a minute"
    return (Notice("W_BASE", text),)
