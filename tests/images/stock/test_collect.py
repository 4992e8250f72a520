"""Which images go: superseded builds and what no revision needs. Everything in doubt stays."""

from __future__ import annotations

import pytest

from s2i.images.stock.collect import Built, Policy, Server, verdicts
from s2i.images.stock.listing import Stored, stored

BUILD = (("s2i.build", "shop"),)
MINE = (("s2i.app", "shop"), ("s2i.project", "default"), ("s2i.server", "me"))
SERVER = Server("me")


def image(name: str, *tags: str, labels: tuple[tuple[str, str], ...] = BUILD, used: tuple[str, ...] = ()) -> Stored:
    return Stored(f"sha256:{name}", tags, 1000, 1.0, labels, used)


def built(*names: str, title: str = "shop") -> dict[str, Built]:
    """Return records of builds, the first the newest."""
    return {f"sha256:{name}": Built(title, 100.0 - number) for number, name in enumerate(names)}


def going(*images: Stored, known: dict[str, Built], server: Server = SERVER, **policy: float) -> list[str]:
    found = verdicts(images, known, server, Policy(**policy))  # type: ignore[arg-type]
    assert len(found) == len(images)
    return [one.image.id.removeprefix("sha256:") for one in found if one.goes]


def test_of_the_builds_that_lost_their_name_the_last_two_of_a_title_stay() -> None:
    images = [image("e", "s2i/shop:latest"), *(image(name) for name in "dcba")]
    assert going(*images, known=built("e", "d", "c", "b", "a")) == ["b", "a"]
    assert going(*images, known=built("e", "d", "c", "b", "a"), keep=0) == ["d", "c", "b", "a"]


def test_each_title_keeps_its_own() -> None:
    known = built("a", "b") | built("c", "d", title="desk")
    assert going(*(image(name) for name in "abcd"), known=known, keep=1) == ["b", "d"]


def test_what_was_built_again_counts_as_new_whatever_its_age() -> None:
    known = {"sha256:old": Built("shop", 200.0), **built("new")}
    assert going(image("old"), image("new"), known=known, keep=1) == ["new"]


def test_only_what_is_older_goes_by_itself() -> None:
    known = built("a", "b", "c", "d")
    assert going(*(image(name) for name in "abcd"), known=known, keep=1, before=98.5) == ["c", "d"]


def test_a_name_of_anybodys_holds_an_image() -> None:
    known = built("a", "b", "c")
    assert going(image("a", "mine:1"), image("b", "s2i/shop:latest", "other:2"), image("c"), known=known, keep=0) == [
        "c"
    ]


def test_a_container_that_is_made_of_an_image_holds_it_whether_it_runs_or_not() -> None:
    assert going(image("a", used=("web",)), image("b"), known=built("a", "b"), keep=0) == ["b"]


def test_what_was_not_built_from_here_stays_whatever_its_labels_say() -> None:
    """Another home's, or a person's own image FROM one of ours: labels are inherited."""
    assert going(image("theirs"), known={}, keep=0) == []


def test_what_is_not_known_here_goes_when_that_is_asked_for_and_it_is_old() -> None:
    old, young = image("old"), Stored("sha256:young", (), 1, 99.0, BUILD)
    assert going(old, young, image("used", used=("x",)), image("named", "n:1"), known={}, unknown=50.0) == ["old"]


def test_an_image_of_the_server_goes_when_no_revision_job_or_run_needs_it() -> None:
    server = Server("me", {"sha256:a": "revision 3 of the app shop of the project default serves"})
    found = verdicts([image("a", labels=MINE), image("b", labels=MINE)], {}, server)
    assert [(one.goes, one.why) for one in found] == [
        (False, "revision 3 of the app shop of the project default serves"),
        (True, "no revision, job or run needs it any more"),
    ]


@pytest.mark.parametrize(
    ("server", "why"),
    [
        (Server("me", building=True), "the server is building something"),
        (Server("other"), "another server built it"),
        (Server(), "the server that built it cannot be asked"),
    ],
)
def test_an_image_of_a_server_stays_when_it_is_not_known_to_be_unneeded(server: Server, why: str) -> None:
    (found,) = verdicts([image("a", labels=MINE)], {}, server)
    assert (found.goes, found.why) == (False, why)


def test_what_s2i_build_made_stays_when_a_revision_runs_it() -> None:
    server = Server("me", {"sha256:a": "the job report of the project default runs it"})
    assert going(image("a"), known=built("a"), server=server, keep=0) == []


def test_an_image_without_a_name_has_none_however_the_engine_says_so() -> None:
    row = {"Id": "sha256:a", "Size": 5, "Created": 7, "Labels": {"s2i.build": "shop"}}
    for tags in (None, [], ["<none>:<none>"]):
        assert stored({**row, "RepoTags": tags}, {}) == Stored("sha256:a", (), 5, 7.0, BUILD)
    assert stored({**row, "Labels": None}, {}).ours is False
