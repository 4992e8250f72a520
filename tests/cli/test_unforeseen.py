"""What nobody caught is said all the same, and a full disk is said to be one."""

import errno

import pytest

from s2i.cli import _unforeseen


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_fault_of_s2i(number: int) -> None:
    error = _unforeseen(OSError(number, "No space left on device", "/cache/bases.json"))
    assert (error.code, error.exit, error.message) == (
        "E_DISK",
        6,
        "the disk is full: no room for /cache/bases.json",
    )


def test_anything_else_is() -> None:
    assert _unforeseen(OSError(errno.EIO, "Input/output error")).code == "E_INTERNAL"
    assert _unforeseen(ValueError("x")).message == "something in s2i itself went wrong: ValueError: x"
