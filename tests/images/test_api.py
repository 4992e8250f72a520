"""The archive that the engine's own builder gets."""

from __future__ import annotations

import contextlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from s2i import shell, sources
from s2i.images import api
from s2i.images.command import Order
from s2i.images.steps import StepNames
from s2i.sources.tree import STAGED_TIME
from s2i.wire import Wire


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


# What an engine does that dies, or that takes nothing in ----------------------------------------------------------


@pytest.fixture
def dying(tmp_path: Path) -> Iterator[Wire]:
    """Yield a wire to an engine that ends in the middle of its answer to a build."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield Wire(f"unix://{tmp_path}/s", 5)
        thread.join(5)


@pytest.mark.world
def test_an_answer_that_breaks_off_is_not_taken_for_the_end_of_a_build(dying: Wire) -> None:
    reader = api.ApiReader(StepNames("FROM x\n"))
    lines: list[bytes] = []
    with pytest.raises(ConnectionError):
        api.follow(dying, {}, b"", lines.append, timeout=5, cancelled=None)
    for line in lines:
        list(reader.feed(line))
    assert (lines, reader.whole) == ([b"{}\n"], False)
    list(reader.feed(b'{"error": "no space left on device"}'))
    assert reader.whole


@pytest.mark.world
@pytest.mark.parametrize("end", ["timeout", "cancel"])
def test_a_build_whose_context_nobody_takes_in_ends_when_it_is_told_to(end: str, tmp_path: Path) -> None:
    cancelled = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        timer = threading.Timer(0.2, cancelled.set if end == "cancel" else lambda: None)
        timer.start()
        outcome = contextlib.nullcontext() if end == "cancel" else pytest.raises(shell.TimedOut)
        with outcome:
            api.follow(
                Wire(f"unix://{tmp_path}/s", 5), {}, bytes(8 << 20), lambda line: None,
                timeout=0.3 if end == "timeout" else 60, cancelled=cancelled,
            )  # fmt: skip
        timer.join()
