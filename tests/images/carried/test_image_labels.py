"""What an image says of itself: the same words for the same source, and none of this machine."""

from __future__ import annotations

import hashlib

import msgspec

import s2i
from s2i.images.carried.labels import described, plan_hash, sha256
from s2i.planning import saved, stages
from s2i.planning.plan import Base, BuildPlan, Copy
from s2i.sources import Notice
from s2i.sources.tree import Origin

BASE = Base("3.13", "s2i.local/python-build:3.13", "s2i.local/python:3.13", "/usr/bin/python3")
PLAN = BuildPlan(
    buildpack="python", kind="wsgi", framework="flask", manager="none", python="3.13", entry="app:app",
    start=("gunicorn", "app:app"), base=BASE, env=(("PORT", "8080"),), steps=(Copy("runtime", "all", (".",), "/app/"),),
)  # fmt: skip
DOCKERFILE = "FROM s2i.local/python-build:3.13 AS build\nFROM s2i.local/python:3.13\nCOPY . /app/\n"
BASES = {"s2i.local/python-build:3.13": "sha256:b", "s2i.local/python:3.13": "sha256:r"}
OWN = {
    "org.opencontainers.image.base.digest": "sha256:r",
    "org.opencontainers.image.base.name": "s2i.local/python:3.13",
    "s2i.plan": plan_hash(PLAN),
    "s2i.version": s2i.__version__,
}


def test_an_image_of_a_repository_names_the_commit_and_its_time() -> None:
    origin = Origin("git", "https://host.example/owner/repo", "v1.2", "0" * 40, time=1_704_164_645)
    assert described(origin, "repo", PLAN, DOCKERFILE, BASES) == {
        **OWN,
        "org.opencontainers.image.title": "repo",
        "org.opencontainers.image.source": "https://host.example/owner/repo",
        "org.opencontainers.image.revision": "0" * 40,
        "org.opencontainers.image.version": "v1.2",
        "org.opencontainers.image.created": "2024-01-02T03:04:05Z",
    }


def test_an_image_of_a_folder_does_not_tell_where_the_folder_was() -> None:
    origin = Origin("folder", "/home/ann/shop")
    found = described(origin, "shop", PLAN, DOCKERFILE, BASES)
    assert found == {**OWN, "org.opencontainers.image.title": "shop"}


def test_what_a_foreign_base_says_of_itself_is_not_taken_over() -> None:
    plan = msgspec.structs.replace(PLAN, base=None, dockerfile="Dockerfile")
    found = described(Origin("folder", "/x"), "shop", plan, "FROM busybox\n", {"busybox": "sha256:d"})
    assert found["org.opencontainers.image.base.digest"] == "sha256:d"
    assert {found[f"org.opencontainers.image.{name}"] for name in ("source", "revision", "version", "created")} == {""}


def test_the_hash_of_a_plan_is_that_of_the_file_that_is_kept() -> None:
    assert plan_hash(PLAN) == hashlib.sha256(saved.canonical(PLAN)).hexdigest()
    assert saved.decode(saved.canonical(PLAN), "plan.json") == PLAN
    assert sha256(b"x") == hashlib.sha256(b"x").hexdigest()


def test_a_base_that_had_to_be_made_first_and_a_notice_change_no_label() -> None:
    """Else the second build of a source would not give the image of the first."""
    first = msgspec.structs.replace(
        PLAN, base=msgspec.structs.replace(BASE, obtain="make"), warnings=(Notice("W_X", "slow today"),)
    )
    assert plan_hash(first) == plan_hash(PLAN)
    assert plan_hash(msgspec.structs.replace(PLAN, port=9000)) != plan_hash(PLAN)


def test_the_base_of_an_image_is_what_its_last_stage_stands_on() -> None:
    assert stages.foundation(DOCKERFILE) == "s2i.local/python:3.13"
    assert stages.foundation("ARG V=3\nFROM python:$V AS one\nFROM one AS two\nFROM TWO\n") == "python:3"
    assert stages.foundation("FROM python AS one\nFROM scratch\nCOPY --from=one /x /x\n") == ""
    assert stages.foundation("FROM a\nARG B=b\nFROM c\n") == "c"
