"""The files of mounts on this machine: in memory, for their owner only, gone with their container."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from s2i.engines.docker import sealed
from s2i.engines.docker.hardening import Declared, container_settings
from s2i.engines.engine import Owner, Workload
from s2i.errors import E_MOUNT_PLACE, S2IError
from s2i.resources.app import Config, Opened
from s2i.resources.mounts import Files

NAME = "s2i-one.shop.web.r3-0"
FILES = (Files("/etc/shop", (("PASSWORD", b"s3cret"), ("tls.crt", b"\xff"))), Files("/data", (("A", b""),)))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a folder be taken for memory; return where the files are to be."""
    monkeypatch.setattr(sealed, "_is_memory", lambda folder: folder == tmp_path / "s2i")
    monkeypatch.delenv("S2I_HOME", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "unix:///var/run/docker.sock")
    return tmp_path / "s2i" / "mounts"


def test_each_key_is_a_file_for_the_user_of_containers(place: Path) -> None:
    for _ in range(2):
        sealed.lay(NAME, FILES)
    one, two = sealed.sources(NAME, FILES)
    assert (one, two) == (place / NAME / "0", place / NAME / "1")
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {"PASSWORD": b"s3cret", "tls.crt": b"\xff"}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (place.parent, place, place / NAME)] == [0o700] * 3
    assert [path.name for path in (place / NAME).iterdir() if path.is_file()] == []
    if os.geteuid() == 0:
        found = (one / "PASSWORD").stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode), stat.S_IMODE(one.stat().st_mode)) == (1001, 0o400, 0o500)


def test_what_is_no_longer_a_key_is_no_longer_a_file(place: Path) -> None:
    sealed.lay(NAME, FILES)
    before = (place / NAME / "0").stat().st_ino
    sealed.lay(NAME, (Files("/etc/shop", (("PASSWORD", b"new"),)),))
    assert [(path.name, path.read_bytes()) for path in (place / NAME / "0").iterdir()] == [("PASSWORD", b"new")]
    assert (place / NAME / "0").stat().st_ino == before, "a container that runs sees the folder that it was given"


def test_they_go_with_their_container_and_those_of_lost_ones_are_swept(place: Path) -> None:
    other = "s2i-two.shop.web.r3-0"
    for name in (NAME, other, "s2i-one.kept"):
        sealed.lay(name, FILES)
    now = (place / NAME).stat().st_mtime
    sealed.sweep("s2i-one.", ["s2i-one.kept"], now + sealed.STALE_SECONDS - 1)
    assert (place / NAME).exists()
    sealed.sweep("s2i-one.", ["s2i-one.kept"], now + sealed.STALE_SECONDS + 60)
    assert {path.name for path in place.iterdir()} == {other, "s2i-one.kept"}
    sealed.forget(other)
    sealed.forget(other)
    assert {path.name for path in place.iterdir()} == {"s2i-one.kept"}


def test_without_memory_to_put_them_in_nothing_is_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "_is_memory", lambda folder: False)
    with pytest.raises(S2IError) as caught:
        sealed.lay(NAME, FILES)
    assert caught.value.kind is E_MOUNT_PLACE
    sealed.forget(NAME)
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    with pytest.raises(S2IError, match="on another machine"):
        sealed.lay(NAME, FILES)
    sealed.lay(NAME, ())
    assert sealed.sources(NAME, ()) == ()
    assert not place.exists()


def test_a_folder_that_is_somebody_elses_is_refused(place: Path) -> None:
    place.parent.mkdir()
    place.symlink_to("/etc")
    with pytest.raises(S2IError, match="it is not a folder"):
        sealed.lay(NAME, FILES)


def test_what_is_memory_is_read_off_the_list_of_mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mounts"
    table.write_text("overlay / overlay rw 0 0\ntmpfs /run tmpfs rw 0 0\next4 /run/disk\\040a ext4 rw 0 0\n")
    monkeypatch.setattr(sealed, "_MOUNTS", table)
    found = {path: sealed._is_memory(Path(path)) for path in ("/run/s2i", "/run", "/runner", "/run/disk a/x", "/")}
    assert found == {"/run/s2i": True, "/run": True, "/runner": False, "/run/disk a/x": False, "/": False}


def test_a_container_sees_them_read_only_and_in_place_of_a_volume() -> None:
    work = Workload(Owner("shop", "app", "web", 3, instance="r3-0"), "i", Opened(files=FILES))
    names = {"server": "one", "image": "i", "network": "n", "declared": Declared(volumes=("/data", "/more"))}
    made = container_settings("instance", work, **names, sealed=(Path("/m/0"), Path("/m/1")))["HostConfig"]  # type: ignore[arg-type]
    shared = {"Type": "bind", "ReadOnly": True, "BindOptions": {"Propagation": "rprivate"}}
    assert made["Mounts"] == [
        {**shared, "Source": "/m/0", "Target": "/etc/shop"},
        {**shared, "Source": "/m/1", "Target": "/data"},
    ]
    assert set(made["Tmpfs"]) == {"/tmp", "/more"}
    assert "Mounts" not in container_settings("sandbox", work, **names)["HostConfig"]  # type: ignore[arg-type]
    plain = Workload(work.owner, "i", Config())
    assert "Mounts" not in container_settings("instance", plain, **names)["HostConfig"]  # type: ignore[arg-type]
