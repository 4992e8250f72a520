"""What IMAGE means, and what the commands print."""

from __future__ import annotations

from typing import Any

import click.testing
import pytest

from s2i.cli.image import collect, find, look
from s2i.cli.image.find import Needs, Use
from s2i.errors import S2IError
from s2i.images.stock import inspection, listing
from s2i.images.stock.collect import Server, Verdict
from s2i.images.stock.listing import Stored

USES = (
    Use("sha256:3", "default", "app", "shop", "revision 3 is to serve", 3, "starting"),
    Use("sha256:2", "default", "app", "shop", "revision 2 serves", 2, "serving"),
    Use("sha256:1", "default", "app", "shop", "revision 1 can be gone back to", 1, "retired"),
    Use("sha256:9", "team", "job", "report", "the job report runs it"),
)
HERE = ("sha256:1", "sha256:2", "sha256:3", "sha256:9", "busybox", "s2i/tool", "x@sha256:7")


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "asked", lambda *, start: Needs("me", False, USES))
    monkeypatch.setattr(listing, "details", lambda _engine, name: {"Id": name} if name in HERE else None)


def means(name: str, project: str = "default") -> str:
    engine: Any = None
    return str(find.find(engine, name, project)["Id"])


@pytest.mark.parametrize(
    ("name", "project", "image"),
    [
        ("busybox", "default", "busybox"),
        ("shop", "default", "sha256:2"),
        ("shop@1", "default", "sha256:1"),
        ("shop@3", "default", "sha256:3"),
        ("report", "team", "sha256:9"),
        ("tool", "default", "s2i/tool"),
        ("x@sha256:7", "default", "x@sha256:7"),
    ],
)
def test_an_image_is_named_by_name_app_revision_job_or_title(name: str, project: str, image: str) -> None:
    assert means(name, project) == image


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", 'there is no image "nothing" here'),
        ("report", 'there is no image "report" here'),
        (
            "shop@7",
            'there is no image "shop@7" here: the app shop of the project default has no revision 7 that is kept',
        ),
    ],
)
def test_what_is_no_image_is_said(name: str, message: str) -> None:
    with pytest.raises(S2IError) as caught:
        means(name)
    assert (caught.value.code, caught.value.exit, str(caught.value)) == ("E_NO_IMAGE", 2, message)


def test_the_image_of_an_app_that_somebody_removed_is_said_to_be_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "details", lambda _engine, _name: None)
    with pytest.raises(S2IError) as caught:
        means("shop")
    assert str(caught.value) == 'there is no image "shop" here: that of shop of the project default was removed'


def test_the_first_reason_of_an_image_is_the_one_that_is_told() -> None:
    both = (*USES, Use("sha256:2", "default", "jobrun", "r", "a run", 0, "running"))
    assert Needs("me", True, both).as_server() == Server(
        "me",
        {
            "sha256:1": "revision 1 can be gone back to",
            "sha256:2": "revision 2 serves",
            "sha256:3": "revision 3 is to serve",
            "sha256:9": "the job report runs it",
        },
        True,
    )


def test_sizes_are_for_people() -> None:
    assert [look.megabytes(size) for size in (5, 1200, 99_000, 1_250_000, 74_049_637, 1_234_000_000)] == [
        "5 B", "1 kB", "99 kB", "1.2 MB", "74 MB", "1,234 MB",
    ]  # fmt: skip


def test_an_image_is_shown_whole(capsys: pytest.CaptureFixture[str]) -> None:
    details = {
        "Id": "sha256:" + "ab" * 32, "RepoTags": ["shop:1"], "Size": 74_000_000,
        "Config": {
            "Cmd": ["gunicorn", "--bind", "a b"], "ExposedPorts": {"8080/tcp": {}}, "User": "1001:0", "WorkingDir": "/app",
            "Labels": {"org.opencontainers.image.title": "shop", "org.opencontainers.image.revision": "c" * 40, "evil": "\x1b[31m"},
        },
    }  # fmt: skip
    history = [{"CreatedBy": "COPY . /app/ # buildkit", "Size": 2_000_000}]
    look._show(inspection.inspect(details, history, None, ["revision 2 of the app shop of the project default serves"]))
    out = capsys.readouterr().out
    assert [line.split(maxsplit=1) for line in out.splitlines()[:9]] == [
        ["image", "sha256:" + "ab" * 32],
        ["names", "shop:1"],
        ["what", "shop"],
        ["commit", "c" * 40],
        ["start", "gunicorn --bind 'a b'"],
        ["folder", "/app"],
        ["port", "8080"],
        ["user", "1001:0"],
        ["size", "74 MB"],
    ]
    assert "used     revision 2 of the app shop of the project default serves\n" in out
    assert "2.0 MB  COPY . /app/\n" in out
    assert "\x1b" not in out


def test_a_dry_run_says_what_goes_and_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        Verdict(Stored("sha256:" + "a" * 64, (), 74_000_000, 1.0), True, "a later build of shop took its name"),
        Verdict(Stored("sha256:" + "b" * 64, ("s:1",), 74_000_000, 1.0), False, "it is called s:1"),
    )
    collect._show(rows, dry_run=True, freed=0, cache=5_000_000, dropped=0)
    assert capsys.readouterr().out == (
        "IMAGE         SIZE   GOES   WHY\n"
        "aaaaaaaaaaaa  74 MB  goes   a later build of shop took its name\n"
        "bbbbbbbbbbbb  74 MB  stays  it is called s:1\n"
        "would remove 1 image; the build cache of s2i's steps is 5.0 MB (--cache drops it)\n"
    )
    collect._show(rows[:1], dry_run=False, freed=2_400_000, cache=5_000_000, dropped=0)
    assert capsys.readouterr().out.splitlines()[-1] == (
        "removed 1 image: 2.4 MB freed; the build cache of s2i's steps still holds 5.0 MB (--cache drops it)"
    )
    collect._show((), dry_run=False, freed=0, cache=9, dropped=5_000_000)
    assert capsys.readouterr().out == "removed 0 images: 0 B freed, and 5.0 MB of build cache\n"


def test_a_number_of_builds_to_keep_is_a_number() -> None:
    done = click.testing.CliRunner().invoke(collect.gc, ["--keep", "-1"])
    assert done.exit_code == 2
