"""What goes by itself after a build: seldom, only what is old, and never a reason to fail."""

from __future__ import annotations

import os

from s2i.images.carried import folder
from s2i.images.carried.write import write
from s2i.images.stock import tidy
from s2i.images.stock.due import due
from tests.images.carried.test_record import IMAGE, MADE

NOW = 2_000_000_000.0


def kept(built: float) -> None:
    write(MADE)
    for path in (folder.folder_of(IMAGE) / "provenance.json", folder.folder_of(IMAGE)):
        os.utime(path, (built, built))


def test_it_is_looked_for_after_a_build_that_made_a_new_image_once_an_hour(monkeypatch: object) -> None:
    kept(NOW - 3)
    stamp = folder.dirs.cache() / "images-tidied"
    stamp.parent.mkdir(parents=True)
    assert due(IMAGE, 5.0, NOW)
    os.utime(stamp, (NOW, NOW))
    assert not due(IMAGE, 5.0, NOW)
    os.utime(stamp, (NOW - 3601, NOW - 3601))
    assert due(IMAGE, 5.0, NOW)


def test_a_build_that_made_nothing_new_looks_for_nothing() -> None:
    assert not due(IMAGE, 5.0, NOW)
    kept(NOW - 60)
    assert not due(IMAGE, 5.0, NOW)


def test_a_home_with_few_images_asks_no_engine() -> None:
    for number in range(2):
        write(MADE._replace(image="sha256:" + f"{number}" * 64))
    assert tidy.tidy(NOW) == 0
