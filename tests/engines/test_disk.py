"""The disk of images: each layer once, whoever shares it, and no base image's."""

from __future__ import annotations

from typing import Any

from s2i.engines.docker import disk


def layer(what: str, size: int, created: int = 1) -> dict[str, Any]:
    return {"Id": "<missing>", "Created": created, "CreatedBy": what, "Size": size, "Tags": None}


BASE = [layer("python", 60)]
DEPS = [layer("install", 30), *BASE]
ONE, TWO = [layer("ENV", 0), layer("copy", 1), *DEPS], [layer("ENV", 0), layer("copy", 2), *DEPS]


def test_what_two_images_share_is_counted_once_and_the_base_not_at_all() -> None:
    images = [disk.layers(each) for each in (ONE, TWO)]
    assert disk.taken(images, [disk.layers(BASE)]) == 33
    assert disk.taken(images, []) == 93
    assert disk.taken([], [disk.layers(BASE)]) == 0


def test_the_same_step_on_another_ground_is_another_layer() -> None:
    other = [layer("install", 30), layer("python", 60, created=2)]
    assert disk.taken([disk.layers(DEPS), disk.layers(other)], []) == 180
