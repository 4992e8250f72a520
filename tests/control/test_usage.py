"""What a server needs images for, and what it removes."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.control.execute import sweep_images
from s2i.control.usage import uses
from s2i.resources.app import Deployment
from tests.control.simulation import Simulation


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    made = Simulation(tmp_path)
    made.engine.images.clear()
    return made


def texts(world: Simulation) -> list[str]:
    return [use.text for use in uses(world.store)]


def test_the_revisions_that_serve_and_that_one_can_go_back_to_need_their_images(world: Simulation) -> None:
    for image in ("sha256:1", "sha256:2"):
        world.deploy(image=image)
        world.settle()
    world.deploy(image="sha256:3")
    assert texts(world) == [
        "revision 3 of the app shop of the project default is to serve",
        "revision 2 of the app shop of the project default serves",
        "revision 1 of the app shop of the project default can be gone back to",
    ]


def test_a_revision_that_never_served_needs_no_image(world: Simulation) -> None:
    world.deploy(image="sha256:1")
    world.settle()
    world.deploy(image="sha256:2")
    world.store.mark_failed("default", "shop", 2, "it exited")
    assert texts(world) == ["revision 1 of the app shop of the project default serves"]


def test_a_job_and_a_run_that_is_not_at_its_end_need_theirs(world: Simulation) -> None:
    world.submit(image="sha256:1")
    assert texts(world) == [
        "the job report of the project default runs it",
        "the job run report-1 of the project default is not at its end",
    ]


def test_what_nothing_needs_goes_and_the_rest_stays(world: Simulation) -> None:
    world.deploy(image="sha256:1")
    world.settle()
    world.engine.images.add("sha256:left-over")
    assert sweep_images(world.world) == ("sha256:left-over",)
    assert world.engine.images == {"sha256:1"}


def test_thirty_versions_leave_the_ten_that_one_can_go_back_to_however_often_it_is_swept(world: Simulation) -> None:
    """FAULTS F34."""
    made: list[str] = []
    for number in range(1, 31):
        image = f"sha256:{number}"
        world.store.open_deployment(Deployment(f"b{number}", "default", "other", "src", "building", 1.0))
        world.engine.images.add(image)
        sweep_images(world.world)
        world.store.change_deployment(f"b{number}", status="failed")
        world.deploy(image=image)
        made.append(image)
        sweep_images(world.world)
        world.settle()
        sweep_images(world.world)
        assert world.engine.images == set(made[-10:])
    assert len(world.store.revisions("default", "shop")) == 10


def test_nothing_goes_while_a_build_is_under_way(world: Simulation) -> None:
    world.engine.images.add("sha256:half-known")
    world.store.open_deployment(Deployment("d9", "default", "new", "src", "building", 1.0))
    assert sweep_images(world.world) == ()
    assert world.engine.images == {"sha256:half-known"}


def test_an_image_that_is_in_use_after_all_is_not_said_to_be_gone(world: Simulation) -> None:
    world.deploy(image="sha256:1")
    world.settle()
    world.store.delete_app("default", "shop")
    world.store.forget_app("default", "shop")
    assert sweep_images(world.world) == ()
    assert world.engine.images == {"sha256:1"}


def test_a_build_that_begins_while_images_go_ends_the_sweep(world: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    world.engine.images |= {"sha256:1", "sha256:2"}
    remove = world.engine.remove_image

    def begins(image: str) -> None:
        remove(image)
        world.store.open_deployment(Deployment("d9", "default", "new", "src", "building", 1.0))

    monkeypatch.setattr(world.engine, "remove_image", begins)
    assert sweep_images(world.world) == ("sha256:1",)
    assert world.engine.images == {"sha256:2"}
