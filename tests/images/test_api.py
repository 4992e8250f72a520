"""The archive that the engine's own builder gets."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from s2i import sources
from s2i.images import api
from s2i.images.command import Order
from s2i.sources.tree import STAGED_TIME


@pytest.fixture
def tree(tmp_path: Path) -> sources.Tree:
    (tmp_path / "src/web/deep").mkdir(parents=True)
    (tmp_path / "src/web/deep/app.py").write_text("app = 1\n")
    (tmp_path / "src/run.sh").write_text("#!/bin/sh\n")
    (tmp_path / "src/run.sh").chmod(0o750)
    (tmp_path / "src" / ("n" * 150 + ".txt")).write_text("long")
    with sources.fetch(sources.parse(str(tmp_path / "src")), policy=sources.Policy.of({})) as found:
        return found


def test_the_archive_holds_what_staging_writes_and_the_dockerfile_beside_it(tree: sources.Tree, tmp_path: Path) -> None:
    staged = tmp_path / "staged"
    staged.mkdir()
    tree.stage(staged)
    expected = {
        f"source/{path.relative_to(staged)}": (path.stat().st_mode & 0o777, path.is_file() and path.read_bytes())
        for path in staged.rglob("*")
    }
    with tarfile.open(fileobj=io.BytesIO(api.context(tree, "FROM x\n"))) as archive:
        members = {m.name: m for m in archive}
        found = {n: (m.mode, m.isfile() and archive.extractfile(m).read()) for n, m in members.items()}  # type: ignore[union-attr]
    assert found.pop("Dockerfile") == (0o644, b"FROM x\n")
    assert found.pop("source") == (0o755, False)
    assert found == expected
    assert {(m.mtime, m.uid, m.gid) for m in members.values()} == {(STAGED_TIME, 0, 0)}


def test_no_header_of_the_archive_can_be_taken_for_a_dockerfile(tree: sources.Tree) -> None:
    data = api.context(tree, "FROM x\n")
    assert (data[:10], data[257:263]) == (b"Dockerfile", b"ustar ")


def test_a_large_source_is_left_to_a_client(tree: sources.Tree) -> None:
    assert api.fits(tree)
    large = msgspec.structs.replace(tree.files[0], size=api.CONTEXT_LIMIT)
    assert not api.fits(sources.Tree(tree.anchor, (*tree.files, large), tree.origin, (), {}))


def test_the_engine_is_told_of_tags_labels_time_and_namespace(tmp_path: Path) -> None:
    order = Order(
        context=tmp_path,
        dockerfile=tmp_path,
        iidfile=tmp_path,
        tags=("a:1", "b:2"),
        labels=(("x", "1"),),
        namespace="p",
        salt="p.s2i.invalid",
    )
    assert api.query(order, 7) == {
        "version": "2",
        "dockerfile": "Dockerfile",
        "networkmode": "default",
        "labels": '{"x":"1"}',
        "buildargs": '{"SOURCE_DATE_EPOCH":"7","BUILDKIT_CACHE_MOUNT_NS":"p"}',
        "t": ("a:1", "b:2"),
        "extrahosts": ("p.s2i.invalid:127.0.0.1",),
    }
