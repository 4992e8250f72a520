"""The names of neighbours: in one file of a project, which who has it open sees change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s2i.engines.docker import hosts


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_HOME", str(tmp_path))


def test_every_name_leads_to_the_gateway_beside_what_every_container_has() -> None:
    place = hosts.write("shop", "172.18.0.1", ("web", "api"))
    assert place.read_text() == hosts.OWN + "172.18.0.1\tapi\n172.18.0.1\tweb\n"
    assert hosts.text("", ("web",)) == hosts.OWN, "a network that is not there yet has no gateway"


def test_who_has_the_file_open_sees_what_comes_and_goes() -> None:
    place = hosts.write("shop", "172.18.0.1", ("web", "another-long-name"))
    with place.open() as file:
        assert "another" in file.read()
        hosts.write("shop", "172.18.0.1", ("web",))
        file.seek(0)
        assert file.read() == hosts.OWN + "172.18.0.1\tweb\n"


def test_a_container_can_read_it_whatever_the_umask_of_the_server() -> None:
    before = os.umask(0o077)
    try:
        place = hosts.write("shop", "", ())
    finally:
        os.umask(before)
    assert (place.stat().st_mode & 0o777, place.parent.stat().st_mode & 0o777) == (0o644, 0o700)


def test_it_goes_with_its_project_and_all_go_with_the_server() -> None:
    shop, bank = (hosts.write(project, "", ()) for project in ("shop", "bank"))
    hosts.forget("shop")
    hosts.forget("shop")
    assert (shop.exists(), bank.exists()) == (False, True)
    hosts.forget_all()
    assert not bank.parent.exists()
