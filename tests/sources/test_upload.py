"""Folders that were sent: each of one project, for one deployment, and gone afterwards."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from s2i import dirs
from s2i.errors import S2IError
from s2i.sources import Upload, archive, fetch, local, upload
from s2i.sources.policy import Policy

POLICY = Policy.of({})


@pytest.fixture
def sent(tmp_path: Path) -> Upload:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text("x = 1\n")
    ident = upload.begin("shop", time.time())
    with upload.archive_of("shop", ident).open("xb") as file:
        archive.pack(local.listing(str(tmp_path / "src")), file)
    assert upload.unpack("shop", ident) == 1
    return Upload(ident, "src", "a" * 40, "shop")


def test_what_was_sent_is_a_tree_with_the_name_and_commit_that_it_had(sent: Upload) -> None:
    upload.claim(sent)
    with fetch(sent, policy=POLICY) as tree:
        assert [one.path for one in tree.files] == ["app.py"]
        assert (tree.origin.place, tree.origin.commit) == ("src", "a" * 40)
    upload.forget(sent.project, sent.id)
    assert list((dirs.state() / "uploads" / "shop").iterdir()) == []


def test_it_is_of_one_project_and_for_one_deployment(sent: Upload) -> None:
    for other in (Upload(sent.id, "src", "", "other"), Upload("0" * 32, "src", "", "shop")):
        with pytest.raises(S2IError, match="not there any more"):
            upload.claim(other)
    upload.claim(sent)
    with pytest.raises(S2IError, match="not there any more"):
        upload.claim(sent)


@pytest.mark.parametrize(
    "wrong",
    [
        Upload("../../x", "src"),
        Upload("A" * 32, "src"),
        Upload("0" * 32, ""),
        Upload("0" * 32, "a\nb"),
        Upload("0" * 32, "s", "HEAD"),
    ],
)
def test_what_names_it_is_checked(wrong: Upload) -> None:
    with pytest.raises(S2IError):
        upload.claim(wrong)


def test_what_nobody_deploys_goes_and_what_is_deployed_stays(sent: Upload) -> None:
    now = time.time()
    other = upload.begin("shop", now)
    upload.claim(sent)
    upload.sweep(now + upload.WAIT_SECONDS + 5)
    assert [one.name for one in (dirs.state() / "uploads" / "shop").iterdir()] == [sent.id]
    upload.clear()
    assert not (dirs.state() / "uploads").exists()
    assert other != sent.id


def test_not_too_many_wait(sent: Upload) -> None:
    for _ in range(upload.WAITING - 1):
        upload.begin("shop", time.time())
    with pytest.raises(S2IError) as caught:
        upload.begin("shop", time.time())
    assert caught.value.code == "E_BUSY"
    upload.begin("other", time.time())


def test_it_is_for_the_servers_user_alone(sent: Upload) -> None:
    for folder in (dirs.state() / "uploads", dirs.state() / "uploads" / "shop" / sent.id):
        assert folder.stat().st_mode & 0o077 == 0, folder


def test_an_archive_that_is_still_coming_is_not_there_yet(tmp_path: Path) -> None:
    ident = upload.begin("shop", time.time())
    upload.archive_of("shop", ident).write_bytes(io.BytesIO().getvalue())
    with pytest.raises(S2IError):
        upload.claim(Upload(ident, "src", "", "shop"))
    assert os.listdir(upload.archive_of("shop", ident).parent) == ["archive"]  # noqa: PTH208
