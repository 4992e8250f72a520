"""Volumes: where one can be mounted, and that nothing but a name says which."""

from __future__ import annotations

import msgspec
import pytest

from s2i.errors import E_MOUNT, S2IError
from s2i.resources.app import Config
from s2i.resources.change import Change, config_after, differences
from s2i.resources.declared import parse as declared
from s2i.resources.mounts import Mount
from s2i.resources.volume import VolumeMount, checked_all, parse, written


def test_a_mount_is_read_and_written_back() -> None:
    assert parse("/data=uploads") == VolumeMount("uploads", "/data")
    assert written(parse("/data=uploads")) == "/data=uploads"


@pytest.mark.parametrize(
    "text",
    [
        *("/data", "/data=", "=", "/data=/", "/data=/var/run/docker.sock", "/data=..", "/data=../x", "/data=a/b"),
        *("/data=C", "data=a", "/=a", "/x/../y=a", "/proc=a", "/dev/x=a", "/tmp=a", "/app=a", "/app/x=a", "/etc=a"),
    ],
)
def test_a_path_of_the_machine_or_a_folder_of_the_image_is_refused(text: str) -> None:
    """THREATS T42."""
    with pytest.raises(S2IError) as caught:
        parse(text)
    assert (caught.value.kind, caught.value.exit) == (E_MOUNT, 2)


@pytest.mark.parametrize("field", ["driver_opts", "source", "driver", "type"])
def test_a_mount_has_no_more_than_a_name_and_a_folder(field: str) -> None:
    """THREATS T43."""
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"volumes": [{"name": "a", "directory": "/a", field: "x"}]}, Change)


@pytest.mark.parametrize("other", ["/a/b", "/a", "/a/b/c"])
def test_two_in_one_another_are_refused(other: str) -> None:
    with pytest.raises(S2IError, match="is another's already"):
        checked_all((VolumeMount("one", "/a/b"), VolumeMount("two", other)))
    with pytest.raises(S2IError, match="is another's already"):
        checked_all((VolumeMount("one", "/a/b"),), (Mount("secret", "two", other),))
    checked_all((VolumeMount("one", "/a/b"), VolumeMount("two", "/a/bc")), (Mount("secret", "three", "/b"),))


def test_a_change_sets_replaces_and_takes_away_by_the_folder() -> None:
    one = config_after(Change(volumes=(parse("/data=one"),), mounts=(Mount("secret", "db", "/etc/shop"),)), Config())
    two = config_after(Change(volumes=(parse("/data=two"), parse("/etc/shop=three"))), one)
    assert (two.volumes, two.mounts) == ((parse("/data=two"), parse("/etc/shop=three")), ())
    assert config_after(Change(mount_rm=("/data",)), two).volumes == (parse("/etc/shop=three"),)
    assert Change(volumes=one.volumes).makes_revision
    with pytest.raises(S2IError) as caught:
        config_after(Change(volumes=(VolumeMount("../x", "/data"),)), Config())
    assert caught.value.kind is E_MOUNT


def test_a_difference_is_told_by_the_name_of_the_option() -> None:
    (found,) = differences(Config(volumes=(parse("/a=one"),)), Config(volumes=(parse("/a=two"),)), lambda _: False)
    assert (found.what, found.before, found.after) == ("mount-volume", "/a=one", "/a=two")


def test_a_file_declares_the_volumes_of_an_app() -> None:
    (found,) = declared('[app.shop]\nmount-volume = ["/data=uploads"]\n', "s2i.toml")
    assert found.change.volumes == (VolumeMount("uploads", "/data"),)
    with pytest.raises(S2IError) as caught:
        declared('[app.shop]\nmount-volume = ["/data=/"]\n', "s2i.toml")
    assert (caught.value.kind, caught.value.where) == (E_MOUNT, "s2i.toml:1")
