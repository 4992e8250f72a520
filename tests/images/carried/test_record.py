"""The files beside an image: all or none, once an image, and a change of one is seen."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

import s2i
from s2i.images.carried import folder, keep, record
from s2i.images.carried.provenance import Made, statement
from s2i.images.carried.write import write
from s2i.images.events import Image
from s2i.images.request import BuildRequest
from s2i.planning.plan import Base, BuildPlan, Copy
from s2i.sources import Notice, Tree
from s2i.sources.tree import Origin

IMAGE = "sha256:" + "ab" * 32
PLAN = BuildPlan(
    buildpack="python", kind="wsgi", framework="flask", manager="none", python="3.13", entry="app:app",
    start=("gunicorn", "app:app"), env=(("PORT", "8080"),), steps=(Copy("runtime", "all", (".",), "/app/"),), base=Base("3.13", "b:1", "r:1", "/usr/bin/python3"),
)  # fmt: skip
MADE = Made(
    image=IMAGE,
    title="shop",
    tags=("shop:1", "shop:latest"),
    plan=PLAN,
    dockerfile="FROM r:1\n",
    origin=Origin("git", "https://host.example/o/r", "v1", "c" * 40, "backend"),
    bases=(("r:1", "sha256:" + "12" * 32),),
    client="buildx 0.29.1",
    engine="docker 28.5.2",
    began=1_704_164_645.0,
    ended=1_704_164_647.9,
    epoch=1_704_164_000,
)


def test_the_provenance_is_a_statement_of_in_toto_with_what_slsa_asks_for() -> None:
    made = json.loads(msgspec.json.encode(statement(MADE)))
    plan, dockerfile = (one["digest"]["sha256"] for one in made["predicate"]["runDetails"]["byproducts"])
    assert made == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "shop:1", "digest": {"sha256": "ab" * 32}},
            {"name": "shop:latest", "digest": {"sha256": "ab" * 32}},
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "urn:s2i:build:1",
                "externalParameters": {
                    "title": "shop",
                    "source": {"uri": "git+https://host.example/o/r", "ref": "v1", "subdir": "backend"},
                    "strategy": "python",
                },
                "internalParameters": {"sourceDateEpoch": 1_704_164_000, "stepsFromCache": True},
                "resolvedDependencies": [
                    {"name": "source", "uri": "git+https://host.example/o/r", "digest": {"gitCommit": "c" * 40}},
                    {"name": "r:1", "digest": {"sha256": "12" * 32}},
                ],
            },
            "runDetails": {
                "builder": {
                    "id": "urn:s2i:builder",
                    "version": {"s2i": s2i.__version__, "client": "buildx 0.29.1", "engine": "docker 28.5.2"},
                },
                "metadata": {"startedOn": "2024-01-02T03:04:05Z", "finishedOn": "2024-01-02T03:04:07Z"},
                "byproducts": [
                    {"name": "plan.json", "digest": {"sha256": plan}},
                    {"name": "Dockerfile", "digest": {"sha256": dockerfile}},
                ],
            },
        },
    }


@pytest.mark.parametrize(
    ("origin", "uri"),
    [
        (Origin("git", "git@host.example:o/r.git", commit="d" * 40), "git+ssh://git@host.example/o/r.git"),
        (Origin("git", "ssh://git@host.example/o/r", commit="d" * 40), "git+ssh://git@host.example/o/r"),
        (Origin("folder", "/home/ann/shop", commit="d" * 40), ""),
    ],
)
def test_a_source_is_named_by_its_address_and_a_folder_by_its_commit_alone(origin: Origin, uri: str) -> None:
    found = statement(MADE._replace(origin=origin))["predicate"]["buildDefinition"]
    source = found["resolvedDependencies"][0]
    assert (source.get("uri", ""), source["digest"]) == (uri, {"gitCommit": "d" * 40})
    assert "/home/ann" not in msgspec.json.encode(found).decode()


def test_what_is_kept_beside_an_image_is_found_again() -> None:
    assert (folder.known(IMAGE), folder.folder_of(IMAGE).exists(), record.find(IMAGE)) == (False, False, None)
    write(MADE)
    found = record.find(IMAGE)
    assert found is not None
    assert (found.title, found.plan(), found.dockerfile(), found.changed()) == ("shop", PLAN, "FROM r:1\n", ())
    assert [one.image for one in record.every()] == [IMAGE]
    assert sorted(path.name for path in found.folder.iterdir()) == ["Dockerfile", "plan.json", "provenance.json"]
    assert stat.S_IMODE(found.folder.stat().st_mode) == 0o700


def test_a_second_build_of_an_image_writes_nothing_and_counts_as_its_last() -> None:
    write(MADE)
    place = folder.folder_of(IMAGE)
    os.utime(place, (1.0, 1.0))
    before = {path.name: path.stat() for path in place.iterdir()}
    assert folder.known(IMAGE)
    assert {path.name: path.stat() for path in place.iterdir()} == before
    found = record.find(IMAGE)
    assert found is not None
    assert found.built > 1.0
    assert found.made == before["provenance.json"].st_mtime


def test_two_builds_of_one_source_at_a_time_both_find_the_files_written() -> None:
    write(MADE)
    write(MADE._replace(title="later"))
    found = record.find(IMAGE)
    assert found is not None
    assert found.title == "shop"
    assert [path.name for path in folder.home().iterdir()] == [IMAGE[7:19]]


def test_files_that_cannot_be_written_leave_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: str, *_rest: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        write(MADE)
    assert list(folder.home().iterdir()) == []


def test_a_plan_that_was_changed_afterwards_is_seen() -> None:
    write(MADE)
    path = folder.folder_of(IMAGE) / "plan.json"
    path.write_bytes(path.read_bytes().replace(b"app:app", b"app:bad"))
    found = record.find(IMAGE)
    assert found is not None
    assert found.changed() == ("plan.json",)


def test_files_of_an_image_with_the_same_beginning_are_not_taken_for_its_own() -> None:
    write(MADE)
    assert record.find(IMAGE[:-1] + "0") is None


def test_damaged_files_are_no_files() -> None:
    write(MADE)
    (folder.folder_of(IMAGE) / "provenance.json").write_text("{")
    assert record.find(IMAGE) is None
    assert list(record.every()) == []
    folder.forget(IMAGE)
    assert not folder.folder_of(IMAGE).exists()


def test_a_new_image_gets_its_files_and_an_old_one_keeps_them() -> None:
    engine: Any = SimpleNamespace(server="Libpod/5.4.2 (linux)")
    said: list[object] = []
    tree = Tree(Path("/nowhere"), (), MADE.origin)
    image = Image(IMAGE, IMAGE, 1, ("shop:1",), (), 2.5)
    for _ in range(2):
        keep(engine, image, tree, PLAN, BuildRequest(title="shop"), "FROM r:1\n", {}, "the engine itself", said.append)
    found = record.find(IMAGE)
    assert found is not None
    assert found.statement.predicate.run_details.builder.version == {
        "s2i": s2i.__version__,
        "client": "the engine itself",
        "engine": "Libpod 5.4.2",
    }
    assert said == []


def test_files_that_cannot_be_written_fail_no_build(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: str, *_rest: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    engine: Any = SimpleNamespace(server="Docker/28.5.2 (linux)")
    said: list[Notice] = []
    tree, image = Tree(Path("/nowhere"), (), MADE.origin), Image(IMAGE, IMAGE, 1, (), (), 2.5)
    keep(engine, image, tree, PLAN, BuildRequest(title="shop"), "FROM r:1\n", {}, "x", said.append)
    assert [(one.code, "No space left on device" in one.message) for one in said] == [("W_RECORD", True)]
