"""JSON input: text, bytes, files and paths in any accepted form, and errors that name them."""

from __future__ import annotations

import errno
import gzip
import io
import os
from pathlib import Path

import pytest

import fastlaunch_nb as fl
from tests.sources.test_pages import AWS_EXAMPLE


def test_a_path_is_read(tmp_path: Path) -> None:
    """A path is read, whether it is a Path or text."""
    path = tmp_path / "images.json"
    path.write_text(AWS_EXAMPLE)
    assert len(fl.from_pages(path)) == len(fl.from_pages(str(path))) == 1


@pytest.mark.parametrize(("length", "quoted"), [(80, "x" * 80), (81, "x" * 77 + "...")])
def test_a_long_path_is_cut(length: int, quoted: str) -> None:
    """An error quotes a path up to 80 letters, because it may be text by mistake."""
    with pytest.raises(fl.SourceError) as caught:
        fl.from_pages("x" * length)
    reason = f"which is neither JSON text nor a readable file ({os.strerror(errno.ENOENT)})."
    assert str(caught.value).endswith(f" Got {quoted!r}, {reason}")


@pytest.mark.parametrize(("text", "is_empty"), [("", True), (" \n", True), ("{", False)])
def test_an_error_notes_an_empty_file(text: str, is_empty: bool) -> None:
    """The error about an empty file, as a failed command leaves it, has a hint."""
    with pytest.raises(fl.SourceError, match="Cannot parse the file as JSON") as caught:
        fl.from_pages(io.StringIO(text))
    assert str(caught.value).endswith(" It is empty.") == is_empty


@pytest.mark.parametrize("size", [100, 101])
def test_compressed_text_has_a_limit(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Small data that would fill the memory is refused; data of the limit's size is read."""
    monkeypatch.setattr("fastlaunch_nb.sources.json_input.MAX_BYTES", 100)
    data = gzip.compress(b"[]".ljust(size))
    if size == 100:
        assert fl.from_pages(data).empty
    else:
        with pytest.raises(fl.SourceError, match="Cannot decompress the text: it holds more than"):
            fl.from_pages(data)
