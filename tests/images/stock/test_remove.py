"""Removing is never forced, and what somebody else may need by now stays."""

from __future__ import annotations

from typing import Any

import docker.errors
import pytest

from s2i.images.carried import folder
from s2i.images.carried.write import write
from s2i.images.stock import listing, remove
from s2i.images.stock.cache import Cached
from s2i.images.stock.collect import Built, Verdict
from s2i.images.stock.listing import Stored
from tests.images.carried.test_record import IMAGE, MADE


class Answer:
    """What requests gives the SDK with an error."""

    def __init__(self, status: int) -> None:
        self.status_code, self.reason = status, "x"


class Engine:
    """An engine with images by id and the names of each, some of them in use."""

    def __init__(self, images: dict[str, list[str]], used: tuple[str, ...] = ()) -> None:
        self.api = self
        self.images_, self.used = images, used
        self.calls: list[Any] = []
        self.rows: list[dict[str, Any]] = []

    def inspect_image(self, name: str) -> dict[str, Any]:
        if name not in self.images_:
            raise docker.errors.ImageNotFound("no such image")
        return {"Id": name, "RepoTags": self.images_[name]}

    def remove_image(self, image: str, force: bool) -> None:
        assert not force
        if image in self.used:
            raise docker.errors.APIError("conflict", response=Answer(409))  # type: ignore[arg-type]
        if image not in self.images_:
            raise docker.errors.ImageNotFound("no such image", response=Answer(404))  # type: ignore[arg-type]
        del self.images_[image]

    def containers(self, **_options: Any) -> list[dict[str, Any]]:
        return self.rows

    def remove_container(self, container: str, **_options: Any) -> None:
        self.calls.append(container)

    def prune_builds(self, filters: Any) -> dict[str, int]:
        self.calls.append(filters)
        return {"SpaceReclaimed": 7}


def verdict(image: str) -> Verdict:
    return Verdict(Stored(image, (), 1, 1.0), True, "x")


def gone(engine: Any, *images: str) -> list[str]:
    return [one.image.id for one in remove.remove(engine, map(verdict, images))]


def test_an_image_goes_with_the_files_beside_it() -> None:
    write(MADE)
    engine = Engine({IMAGE: []})
    assert gone(engine, IMAGE) == [IMAGE]
    assert (engine.images_, folder.folder_of(IMAGE).exists()) == ({}, False)


def test_an_image_that_was_given_a_name_or_a_container_meanwhile_stays_with_its_files() -> None:
    write(MADE)
    engine = Engine({IMAGE: ["mine:1"], "sha256:b": []}, used=("sha256:b",))
    assert gone(engine, IMAGE, "sha256:b") == []
    assert folder.folder_of(IMAGE).exists()


def test_an_image_that_somebody_was_faster_with_is_gone() -> None:
    assert gone(Engine({}), "sha256:a") == ["sha256:a"]


def test_the_files_of_an_image_that_went_otherwise_stay_for_a_month() -> None:
    write(MADE)
    engine: Any = Engine({})
    there: Any = Engine({IMAGE: []})
    built = {IMAGE: Built("shop", 1000.0)}
    assert remove.forget_gone(engine, built, 1000.0 + 29 * 86_400) == 0
    assert remove.forget_gone(there, built, 1000.0 + 31 * 86_400) == 0
    assert folder.folder_of(IMAGE).exists()
    assert remove.forget_gone(engine, built, 1000.0 + 31 * 86_400) == 1
    assert not folder.folder_of(IMAGE).exists()


def test_only_old_containers_that_were_made_to_read_from_are_removed() -> None:
    engine: Any = Engine({})
    engine.rows = [
        {"Id": "old", "ImageID": "sha256:a", "Created": 0, "Labels": {"s2i.reader": "sha256:a"}},
        {"Id": "young", "ImageID": "sha256:a", "Created": 900, "Labels": {"s2i.reader": "sha256:a"}},
        {"Id": "inherits", "ImageID": "sha256:b", "Created": 0, "Labels": {"s2i.reader": "sha256:a"}},
    ]
    assert remove.remove_readers(engine, 1000.0) == 1
    assert engine.calls == ["old"]


def test_cache_is_dropped_by_name_and_by_nothing_else() -> None:
    engine: Any = Engine({})
    assert remove.prune(engine, ()) == 0
    assert engine.calls == []  # without a filter the engine would drop everybody's
    assert remove.prune(engine, (Cached("a", (), "x", 1), Cached("b", (), "x", 1))) == 7
    assert engine.calls == [{"id": ["^(a|b)$"]}]


@pytest.mark.parametrize("name", ["no-such", "sha256:00"])
def test_an_image_that_is_not_there_is_none(name: str) -> None:
    engine: Any = Engine({})
    assert listing.details(engine, name) is None
