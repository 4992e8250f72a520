"""Secrets of a build: how they are given, handed over and known."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from s2i import dirs
from s2i.errors import S2IError
from s2i.images.private import netrc, secrets
from s2i.resources.secret import LIMIT, Secret

CANARY = "s3cretcanary"
ENVIRON = {"TOKEN": CANARY, "EMPTY": ""}


def test_a_secret_comes_from_a_file_or_from_a_variable(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(CANARY)
    wanted = Secret("token", CANARY.encode())
    assert secrets.read(f"id=token,src={tmp_path}/token", {}) == wanted
    assert secrets.read(f"type=file,id=token,source={tmp_path}/token", {}) == wanted
    assert secrets.read("id=token,env=TOKEN", ENVIRON) == wanted
    assert secrets.read("id=TOKEN", ENVIRON) == Secret("TOKEN", CANARY.encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id=token,env=NONE", 'the secret "token" cannot be given to the build: the variable NONE is not set'),
        ("id=token,env=EMPTY", 'the secret "token" cannot be given to the build: it is empty'),
        (
            "id=token,src=/nonexistent/x",
            'the secret "token" cannot be given to the build: /nonexistent/x: No such file or directory',
        ),
        (
            f"token={CANARY}",
            "what --secret says cannot be given to the build: it is not written as id=NAME,src=FILE or id=NAME,env=VAR",
        ),
        (
            f"id=token,value={CANARY}",
            "what --secret says cannot be given to the build: it is not written as id=NAME,src=FILE or id=NAME,env=VAR",
        ),
        (
            f"id=../{CANARY},env=TOKEN",
            "what --secret says cannot be given to the build: it is not written as id=NAME,src=FILE or id=NAME,env=VAR",
        ),
        (
            "id=ca,env=TOKEN",
            'the secret "ca" cannot be given to the build: s2i gives the machine\'s certificate authorities by this id',
        ),
    ],
)
def test_what_cannot_be_given_is_said_without_a_word_of_the_value(text: str, message: str) -> None:
    with pytest.raises(S2IError) as caught:
        secrets.read(text, ENVIRON)
    assert (caught.value.code, caught.value.exit, caught.value.message) == ("E_SECRET", 2, message)
    assert CANARY not in str(caught.value.as_dict())


def test_a_file_that_is_not_there_is_told_with_what_to_do_about_the_file(tmp_path: Path) -> None:
    with pytest.raises(S2IError) as caught:
        secrets.read(f"id=token,src={tmp_path}/none", {})
    assert caught.value.message.endswith(f"{tmp_path}/none: No such file or directory")
    assert caught.value.advice.startswith("name a file that is there")


def test_a_netrc_that_is_not_there_is_no_matter_of_a_secret(tmp_path: Path) -> None:
    with pytest.raises(S2IError) as caught:
        netrc.whole(f"{tmp_path}/none")
    assert (caught.value.code, caught.value.exit) == ("E_NETRC", 2)
    assert caught.value.message == f"cannot take credentials from {tmp_path}/none: No such file or directory"
    assert "--secret" not in caught.value.advice


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(S2IError) as caught:
        secrets.read(f"id=large,src={tmp_path}/large", {})
    assert caught.value.message == 'the secret "large" cannot be given to the build: it has more than 512,000 bytes'


def test_one_id_is_given_once() -> None:
    with pytest.raises(S2IError) as caught:
        secrets.distinct([Secret("a", b"1"), Secret("b", b"2"), Secret("a", b"3")])
    assert caught.value.message == 'the secret "a" cannot be given to the build: it is given twice'


def test_a_secret_does_not_show_its_value() -> None:
    secret = Secret("token", CANARY.encode())
    assert (repr(secret), str(secret), f"{[secret]}") == ("<secret token>", "<secret token>", "[<secret token>]")
    assert msgspec.json.decode(msgspec.json.encode(secret), type=Secret) == secret


def test_a_secret_is_handed_over_in_memory_and_gone_afterwards(tmp_path: Path) -> None:
    with secrets.handed([Secret("token", CANARY.encode())], tmp_path) as paths:
        ((name, path),) = paths
        assert (name, Path(path).read_text()) == ("token", CANARY)
        assert list(tmp_path.iterdir()) == []
    assert not Path(path).exists()


def test_without_files_in_memory_it_is_a_private_file_for_as_long_as_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with secrets.handed([Secret("token", CANARY.encode())], tmp_path) as ((_, path),):
        assert (Path(path).read_text(), Path(path).stat().st_mode & 0o777) == (CANARY, 0o600)
    assert list(tmp_path.iterdir()) == []


def test_a_fingerprint_changes_with_the_secret_and_with_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = Secret("token", b"one"), Secret("token", b"two")
    found = secrets.fingerprint([first])
    assert len(found) == 16
    assert secrets.fingerprint([first]) == found
    assert secrets.fingerprint([second]) != found
    assert secrets.fingerprint([Secret("other", b"one")]) != found
    assert secrets.fingerprint([]) == ""
    key = dirs.state() / secrets.KEY
    assert (key.stat().st_mode & 0o777, len(key.read_bytes()), list(dirs.state().iterdir())) == (0o600, 32, [key])
    key.unlink()
    assert secrets.fingerprint([first]) != found
