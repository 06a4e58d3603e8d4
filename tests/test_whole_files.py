"""Files appear whole: a failed write leaves the old file, and no other one."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from fastlaunch_nb.whole_files import lock_file, write_file


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """If the disk is full, the file is as it was, and no other file is left."""
    path = tmp_path / "a.json"
    write_file(path, b"old")
    with (
        patch("os.fsync", side_effect=OSError(28, "No space left on device")),
        pytest.raises(OSError, match="No space left"),
    ):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_is_free_after_an_error(tmp_path: Path) -> None:
    """An error inside a lock frees it for the next one."""
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match="inside"), lock_file(path):
        raise ValueError("inside")
    with lock_file(path):
        write_file(path, b"new")
    assert path.read_bytes() == b"new"
