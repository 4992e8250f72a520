"""What `s2i apply` takes for a file of declarations."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from s2i.cli.apply import FILE_LIMIT, _read
from s2i.errors import E_DECLARED, S2IError


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "s2i.toml").write_bytes(b"[app.x]\r\n")
    assert _read(str(tmp_path / "s2i.toml")) == "[app.x]\r\n"


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "nothing", "large", "bytes"])
def test_what_is_no_file_of_declarations_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "s2i.toml"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "large":
            path.write_bytes(b"#" * (FILE_LIMIT + 1))
        case "bytes":
            path.write_bytes(b"\xff")
    with pytest.raises(S2IError) as caught:
        _read(str(path))
    assert (caught.value.kind, caught.value.where) == (E_DECLARED, str(path))
