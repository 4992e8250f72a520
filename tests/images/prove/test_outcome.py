"""What comes of a proof: on, again, or an error that gives nothing away."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.images import planned
from s2i.images.prove import blot, outcome, record
from s2i.images.prove.proof import Found, Proof, Seen
from s2i.images.request import DETECTED, PlanRequest
from s2i.planning.compile import compile as compile_plan
from s2i.planning.plan import Base, BuildPlan
from s2i.planning.settings import Given
from s2i.resources.app import Config
from s2i.sources import Folder, Policy, Tree, fetch

BASE = Base(python="3.13", build="b", runtime="r", uv=True)
WSGI = "def app(environ, start_response):\n    return []\n\n\nasync def served(scope, receive, send):\n    pass\n"


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(tree: Tree, wanted: PlanRequest = DETECTED, learnt: Given | None = None) -> BuildPlan:
        return compile_plan(tree, (BASE,), wanted.strategy, learnt, locked=wanted.locked)

    monkeypatch.setattr(planned, "plan", plan)


def replanned(folder: Path, found: Found) -> BuildPlan | None:
    """Plan what is in ``folder``, and plan it again by what was found."""
    with fetch(Folder(str(folder)), policy=Policy.of({})) as tree:
        plan = planned.plan(tree)
        return outcome.replanned(tree, plan, proof(plan, found))


def proof(plan: BuildPlan, found: Found) -> Proof:
    seen = Seen(port=8080, limit=1, running=True, found=found)
    return Proof(image="i", kind=plan.kind, entry=plan.entry, cause="callable", why="it differs", seen=seen)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(WSGI)
    return tmp_path


@pytest.mark.parametrize(
    ("found", "kind", "entry"),
    [
        (Found("asgi", kind="asgi"), "asgi", "app:app"),
        (Found("factory", kind="wsgi"), "wsgi", "app:app()"),
        (Found("factory", kind="asgi"), "asgi", "app:app()"),
        (Found("missing", names=(("served", "asgi"),)), "asgi", "app:served"),
        (Found("value", names=(("served", "asgi"), ("make_app", "factory"))), "asgi", "app:served"),
    ],
)
def test_what_the_import_showed_is_planned_with(source: Path, found: Found, kind: str, entry: str) -> None:
    made = replanned(source, found)
    assert made is not None
    assert (made.kind, made.entry) == (kind, entry)
    origins = {one.what: one.origin for one in made.decisions if one.what in ("entry", "kind")}
    assert origins == {"entry": "proof", "kind": "proof"}
    (notice,) = [one for one in made.warnings if one.code == "W_REPLANNED"]
    assert f'kind = "{kind}" in s2i.toml spares the second build' in notice.message
    changed = [one for one in made.decisions if any(lost.origin == "proof" for lost in one.rejected)]
    assert [one.what for one in changed] == [
        w for w, v in (("kind", kind), ("entry", entry)) if v not in ("wsgi", "app:app")
    ]


def test_the_folder_that_was_found_below_the_root_is_kept(source: Path, tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (source / "app.py").rename(tmp_path / "backend" / "app.py")
    (tmp_path / "backend" / "requirements.txt").write_text("")
    made = replanned(tmp_path, Found("asgi", kind="asgi"))
    assert made is not None
    assert (made.subdir, made.kind, made.entry) == ("backend", "asgi", "app:app")


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ('kind = "wsgi"\n', Found("asgi", kind="asgi")),
        ('entry = "app:app"\nkind = "wsgi"\n', Found("missing", names=(("served", "asgi"),))),
        ("", Found("missing", names=(("one", "wsgi"), ("two", "wsgi")))),
        ("", Found("missing", names=(("no_such_name", "wsgi"),))),
        ("", Found("missing", names=(("naïve\n", "wsgi"),))),
        ("", Found("unknown")),
        ("", Found("factory")),
        ("", Found("wsgi", kind="wsgi")),
    ],
)
def test_what_a_person_set_or_nobody_can_tell_is_not_planned_again(source: Path, settings: str, found: Found) -> None:
    if settings:
        (source / "s2i.toml").write_text(settings)
    assert replanned(source, found) is None


@pytest.mark.parametrize("cause", ["", "outside"])
def test_what_is_proven_or_cannot_be_goes_on(cause: str) -> None:
    assert outcome.settle(Proof(image="i", kind="wsgi", entry="a:b", cause=cause)) is None  # type: ignore[arg-type]


def test_a_contradiction_is_handed_to_who_plans_again_and_nothing_else_is() -> None:
    wrong = Proof(image="i", kind="wsgi", entry="a:b", cause="callable", why="it is a factory")
    assert outcome.settle(wrong, lambda proof: proof.entry) == "a:b"
    with pytest.raises(S2IError):
        outcome.settle(wrong, lambda proof: None)
    with pytest.raises(S2IError):
        outcome.settle(Proof(image="i", kind="wsgi", entry="a:b", cause="exited"), lambda proof: proof)


def test_no_value_of_the_environment_is_left_in_what_was_seen() -> None:
    key = "-----BEGIN-----\ns3cr3tline1\n-----END-----"
    config = Config(env=(("TOKEN", "s3cr3tcanary"), ("KEY", key), ("DEBUG", "yes")))
    found = Found("error", error="KeyError", text="no s3cr3tcanary", stack=("at s3cr3tcanary",))
    before = Seen(port=1, limit=1, running=False, log=("a s3cr3tcanary b", "s3cr3tline1", "yes"), found=found)
    after = blot.seen(before, blot.blot(config))
    assert after.log == ("a *** b", "***", "yes")
    assert (after.found.text, after.found.stack) == ("no ***", ("at ***",))  # type: ignore[union-attr]
    assert blot.blot(Config(env=(("KEY", key),)))(f"all of {key} at once") == "all of *** at once"


def test_a_proof_that_failed_is_an_error_with_its_line() -> None:
    failed = Proof(
        image="i",
        kind="wsgi",
        entry="a:b",
        cause="exited",
        why="it exited",
        log=("a", "b"),
        advice="x",
        where="app.py:1",
    )
    error = outcome.failure(failed)
    assert (error.code, error.exit, error.where, error.advice) == ("E_PROOF", 5, "app.py:1", "x")
    assert error.message == "the image is built, but it is not proven: it exited\n  a\n  b"


def test_a_proof_is_remembered_for_the_same_image_run_the_same_way(source: Path) -> None:
    with fetch(Folder(str(source)), policy=Policy.of({})) as tree:
        plan = planned.plan(tree)
    good = Proof(image="i", kind="wsgi", entry="app:app", log=("secret",), seen=Seen(port=1, limit=1, running=True))
    name = record.key("i", plan, Config(env=(("A", "1"),)))
    record.keep(name, good)
    kept = record.find(name)
    assert kept is not None
    assert (kept.entry, kept.log, kept.seen) == ("app:app", (), None)
    others = (record.key("j", plan, Config(env=(("A", "1"),))), record.key("i", plan, Config(env=(("A", "2"),))))
    assert [record.find(other) for other in others] == [None, None]


def test_only_what_is_proven_is_remembered_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "KEEP", 3)
    record.keep("bad", Proof(image="i", kind="wsgi", entry="a:b", cause="exited"))
    assert record.find("bad") is None
    for number in range(6):
        record.keep(f"n{number}", Proof(image="i", kind="wsgi", entry="a:b"))
    assert len([n for n in range(6) if record.find(f"n{n}")]) == 3
