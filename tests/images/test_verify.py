"""Two images compared: what differs, and why most likely."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from s2i.images.verify.causes import causes, explain, shows
from s2i.images.verify.layers import Difference, differences


def layer(files: dict[str, Any]) -> bytes:
    """Return a layer: content by path; a tuple is (content, attributes of its entry)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, value in files.items():
            content, more = value if isinstance(value, tuple) else (value, {})
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            for name, given in more.items():
                setattr(entry, name, given)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


def image(path: Path, *layers: bytes, history: list[dict[str, Any]] | None = None) -> Path:
    """Write an archive as `docker save` does."""
    names = [f"blobs/{number}" for number in range(len(layers))]
    plain = [gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data for data in layers]
    config = {"rootfs": {"diff_ids": [hashlib.sha256(data).hexdigest() for data in plain]}, "history": history}
    manifest = [{"Config": "blobs/config", "Layers": names}]
    parts = {**dict(zip(names, layers, strict=True)), "blobs/config": json.dumps(config).encode()}
    with tarfile.open(path, "w") as archive:
        for name, data in {**parts, "manifest.json": json.dumps(manifest).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("first", "second", "what"),
    [
        (b"1", b"2", ("content",)),
        ((b"1", {"mode": 0o644}), (b"1", {"mode": 0o600}), ("mode",)),
        ((b"1", {"mtime": 1}), (b"1", {"mtime": 2}), ("time",)),
        ((b"1", {"uid": 1001}), (b"1", {"uid": 0}), ("owner",)),
        ((b"1", {"mtime": 1}), (b"2", {"mtime": 2}), ("content", "time")),
        ((b"", {"type": tarfile.SYMTYPE, "linkname": "a"}), (b"", {"type": tarfile.SYMTYPE, "linkname": "b"}), ("content",)),
        ((b"", {"type": tarfile.SYMTYPE, "linkname": "a"}), b"", ("type", "content")),
    ],
)  # fmt: skip
def test_a_file_differs_in_what_it_differs_in(tmp_path: Path, first: Any, second: Any, what: tuple[str, ...]) -> None:
    one = image(tmp_path / "1", layer({"same": b"x"}), layer({"app/same": b"s", "app/file": first}))
    other = image(tmp_path / "2", layer({"same": b"x"}), layer({"app/same": b"s", "app/file": second}))
    assert [("app/file", what)] == [(d.path, d.what) for d in differences(one, other) if d.layer == 1]


def test_a_file_may_be_in_one_image_only_and_a_layer_compressed(tmp_path: Path) -> None:
    one = image(tmp_path / "1", layer({"a": b"1"}))
    other = image(tmp_path / "2", gzip.compress(layer({"b": b"1"})))
    expected = [("a", ("only in the first",)), ("b", ("only in the second",))]
    assert expected == [(d.path, d.what) for d in differences(one, other)]


@pytest.mark.parametrize(
    ("said", "by"),
    [
        (["RUN /bin/sh -c true # buildkit", "COPY . /app # buildkit"], "COPY"),
        (["/bin/sh -c true", "/bin/sh -c #(nop) COPY dir:1 in /app "], "COPY"),
        (["COPY . /app # buildkit"], ""),  # an image that was imported, or squashed, tells of other layers than it has
        ([], ""),
    ],
)
def test_a_difference_knows_the_instruction_that_made_its_layer(tmp_path: Path, said: list[str], by: str) -> None:
    history = [{"created_by": "ENV A=1", "empty_layer": True}, *({"created_by": text} for text in said)]
    one = image(tmp_path / "1", layer({"same": b"x"}), layer({"a": b"1"}), history=history)
    other = image(tmp_path / "2", layer({"same": b"x"}), layer({"a": b"2"}), history=history)
    assert [by] == [found.by for found in differences(one, other)]


def test_the_same_content_is_the_same_whether_compressed_or_not(tmp_path: Path) -> None:
    one, other = image(tmp_path / "1", layer({"a": b"1"})), image(tmp_path / "2", gzip.compress(layer({"a": b"1"})))
    assert [] == list(differences(one, other))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (b"a\nb\n", b"b\na\n", "order"),
        (b'x = {"a", "b"}\n', b'x = {"b", "a"}\n', "order"),
        (b"built = 2026-11-25 10:00\n", b"built = 2026-11-26 11:00\n", "date"),
        (b"at 1764100000\n", b"at 1764100009\n", "date"),
        (b"key = 3f2a9c01d4\n", b"key = 99aa01ffe2\n", "random"),
        (b"3f2a9c01-9f1e", b"77aa9c01-001e", "random"),
        (b"one", b"two", ""),
        (b"", b"two", ""),
    ],
)
def test_contents_show_why_they_differ(first: bytes, second: bytes, expected: str) -> None:
    assert expected == shows(first, second)


@pytest.mark.parametrize(
    ("difference", "cause"),
    [
        (Difference(0, "app", ("time",), folder=True, by="COPY"), "this engine gives the folder"),
        (Difference(0, "app/static/css", ("time",), folder=True, by="COPY"), "this engine gives the folder"),
        (Difference(0, "app/static/css", ("time",), folder=True, by="RUN"), "a step of the build writes it, at the time"),
        (Difference(0, "app/static/a.css", ("time",), by="COPY"), "a step of the build writes it, at the time"),
        (Difference(0, "app", ("time", "mode"), folder=True, by="COPY"), "a step of the build sets its rights"),
        (Difference(0, "app/x/__pycache__/a.pyc", ("content",)), "bytecode that was made"),
        (Difference(0, "app/x/__pycache__", ("only in the second",), folder=True), "bytecode that a step"),
        (Difference(0, "l/site-packages/a-1.dist-info/METADATA", ("only in the first",)), "another version"),
        (Difference(0, "l/site-packages/a-1.dist-info/RECORD", ("content",)), "the list of a package's files"),
        (Difference(0, "l/a.so", ("content",)), "compiled anew"),
        (Difference(0, "app/db.sqlite3", ("content",)), "a database"),
        (Difference(0, "app/x.txt", ("content",), contents=(b"a\nb", b"b\na")), "the same lines in another order"),
        (Difference(0, "app/x.txt", ("content",), contents=(b"2026-01-01", b"2026-01-02")), "a step writes the time"),
        (Difference(0, "app/x.txt", ("content",), contents=(b"k 00ff00ff", b"k 11ee11ee")), "a step writes something random"),
        (Difference(0, "app/x.txt", ("content",), contents=(b"a", b"b")), "a step of the build writes something else"),
        (Difference(0, "app/x.txt", ("only in the first",)), "a step of the build names the file anew"),
        (Difference(0, "app/x.txt", ("time",)), "a step of the build writes it, at the time"),
    ],
)  # fmt: skip
def test_a_difference_has_a_likely_cause(difference: Difference, cause: str) -> None:
    row = explain(difference)
    assert cause == row.cause[: len(cause)]
    assert row.fix


def test_each_difference_has_a_cause() -> None:
    assert ("*", (), "", False) == (causes()[-1].path, causes()[-1].what, causes()[-1].shows, causes()[-1].engine)
