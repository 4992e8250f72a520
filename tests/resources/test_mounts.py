"""Secrets and configmaps as files of a folder: where they can be, and what they are called."""

from __future__ import annotations

import pytest

from s2i.errors import E_MOUNT, S2IError
from s2i.resources.app import Config
from s2i.resources.change import Change, config_after, differences
from s2i.resources.mounts import Files, Mount, checked_all, files, parse, written


def test_a_mount_is_read_and_written_back() -> None:
    assert parse("secret", "/etc/shop=db") == Mount("secret", "db", "/etc/shop")
    assert parse("configmap", "/run/a=b=flags") == Mount("configmap", "flags", "/run/a=b")
    assert written(Mount("secret", "db", "/etc/shop")) == "/etc/shop=db"


@pytest.mark.parametrize(
    "directory",
    [
        *(
            "",
            "etc/shop",
            "./x",
            "/",
            "//x",
            "/x/",
            "/x/../etc",
            "/x/./y",
            "/x//y",
            "/..",
            "/x\n",
            "/x\0",
            "/ä",
            "/x" * 150,
        ),
        *("/proc", "/proc/1", "/sys/fs", "/dev", "/dev/shm/x", "/tmp", "/etc", "/usr", "/usr/bin", "/run", "/var/run"),
        *("/app", "/app/config", "/opt/venv/lib"),
    ],
)
def test_a_folder_that_cannot_be_is_refused(directory: str) -> None:
    with pytest.raises(S2IError) as caught:
        parse("secret", f"{directory}=db")
    assert (caught.value.kind, caught.value.exit) == (E_MOUNT, 2)


@pytest.mark.parametrize("text", ["/etc/shop", "/etc/shop=", "/etc/shop=../db", "/etc/shop=Db", "="])
def test_what_is_no_mount_is_refused(text: str) -> None:
    with pytest.raises(S2IError) as caught:
        parse("secret", text)
    assert caught.value.kind is E_MOUNT


@pytest.mark.parametrize("directory", ["/tmp/x", "/etc/shop", "/application", "/srv", "/run/secrets", "/procs/x"])
def test_a_folder_of_the_containers_own_can_be(directory: str) -> None:
    assert parse("secret", f"{directory}=db").directory == directory


@pytest.mark.parametrize("other", ["/a/b", "/a", "/a/b/c"])
def test_two_in_one_another_are_refused(other: str) -> None:
    with pytest.raises(S2IError, match="is another's already"):
        checked_all((Mount("secret", "one", "/a/b"), Mount("secret", "two", other)))
    checked_all((Mount("secret", "one", "/a/b"), Mount("secret", "two", "/a/bc")))


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_that_is_no_name_of_a_file_is_refused(key: str) -> None:
    with pytest.raises(S2IError, match="is no name of a file"):
        files(Mount("secret", "db", "/x"), {key: b""})


def test_files_hide_what_they_hold() -> None:
    made = files(Mount("secret", "db", "/x"), {"b": b"s3cret", "a": b"1"})
    assert made == Files("/x", (("a", b"1"), ("b", b"s3cret")))
    assert "s3cret" not in f"{made!r}{made}"


def test_mounts_are_set_beside_those_that_are_there() -> None:
    one, two = Mount("secret", "db", "/a", 3), Mount("configmap", "flags", "/b")
    before = Config(mounts=(one,))
    after = config_after(Change(mounts=(two,)), before)
    assert after.mounts == (one, two)
    assert config_after(Change(mount_rm=("/a",)), after).mounts == (two,)
    assert config_after(Change(mounts=(Mount("secret", "other", "/a"),)), before).mounts[0].name == "other"
    assert config_after(Change(exact=True), before).mounts == ()
    (told,) = differences(before, after, lambda name: False)
    assert (told.what, told.before, told.after) == ("mounts", "secret /a=db v3", "secret /a=db v3 configmap /b=flags")
    assert Change(mounts=(two,)).makes_revision
    assert Change(mount_rm=("/b",)).makes_revision


def test_what_comes_over_the_wire_is_checked_as_well() -> None:
    with pytest.raises(S2IError) as caught:
        config_after(Change(mounts=(Mount("secret", "db", "/etc"),)), Config())
    assert caught.value.kind is E_MOUNT
    sneaked = {"mounts": [{"kind": "secret", "name": "db", "directory": "/etc"}]}
    assert config_after(Change(config=sneaked), Config()).mounts == ()
    with pytest.raises(S2IError, match="files"):
        config_after(Change(config={"files": []}), Config())
