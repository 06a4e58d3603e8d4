"""JSON input: text, bytes, files and paths in any accepted form, and errors that name them."""

from __future__ import annotations

import errno
import gzip
import io
import os
from pathlib import Path

import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.sources.json_input import SourceText, is_path, parse_documents, read_data
from tests.helpers.cases import some
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


@pytest.mark.parametrize("layers", [3, 4])
def test_layers_of_gzip_have_a_limit(layers: int) -> None:
    """Data that is compressed up to three times is read; more is an error."""
    data = b"[]"
    for _ in range(layers):
        data = gzip.compress(data)
    if layers == 3:
        assert fl.from_pages(data).empty
    else:
        with pytest.raises(fl.SourceError, match="it is compressed more than 3 times"):
            fl.from_pages(data)


class Endless(io.RawIOBase):
    """An open file without an end, which gives a few bytes at a time."""

    def read(self, size: int = -1) -> bytes:
        """Return at most seven spaces."""
        assert size > 0, "reads without a limit"
        return b" " * min(size, 7)


@pytest.mark.parametrize("size", [100, 101])
def test_any_source_has_a_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int) -> None:
    """Text, bytes, files and open files beyond the limit are refused before they are parsed."""
    monkeypatch.setattr("fastlaunch_nb.sources.json_input.MAX_BYTES", 100)
    text = "[]".ljust(size)
    path = tmp_path / "images.json"
    path.write_text(text)
    sources = [text, text.encode(), path, io.StringIO(text), io.BytesIO(text.encode())]
    for source in some(sources if size == 101 else [Endless()]):
        with pytest.raises(fl.SourceError, match=r"which holds more than 100 bytes\. Split it"):
            fl.from_pages(source)
    data = text[:100].encode()
    readable = [text[:100], data, bytearray(data), memoryview(data), io.StringIO(text[:100])]
    assert [len(fl.from_pages(source)) for source in readable] == [0] * 5


def test_a_file_that_gives_little_at_a_time_is_read() -> None:
    """An open file is read to its end, however little each read returns."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 0, 5))

    assert read_data(Slow(AWS_EXAMPLE.encode()), "").content == AWS_EXAMPLE.encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("images.json", True),
        ("C:\\images\\{1}.json", True),
        ("{}", False),
        (" \ufeff[", False),
        ("", False),
        ("FastLaunchImages:\n- ImageId: ami-1", False),
        ('2026-01-10T20:30:12Z {"id": 1}', False),
    ],
)
def test_text_is_a_path_or_data(text: str, expected: bool) -> None:
    """Text of one line that has no JSON is a path; all other text is data."""
    assert is_path(text) is expected


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ('{"a": 1}\ufeff{"a": 2}', [{"a": 1}, {"a": 2}]),
        ('1 "x" [2]', [1, "x", [2]]),
        ('2026-01-10T20:30:12Z {"a": 1}', [{"message": {"a": 1}}]),
        ('2026-01-10 20:30:12,123 +00 s {"a":\n 1}\n', [{"message": {"a": 1}}]),
        ('2026-01-10T20:30:12Z {"a": 1} end', [{"message": '{"a": 1} end'}]),
        ("2026-01-10T20:30:12Z\n", [{"message": ""}]),
        (
            "2026-01-10T20:30:12Z START\n at x\n2026-01-10T20:30:13Z []",
            [{"message": "START\n at x"}, {"message": []}],
        ),
    ],
)
def test_documents_in_text(text: str, documents: list[object]) -> None:
    """Documents follow each other; a line of a log is one too, with its message."""
    assert list(parse_documents(SourceText(text, "x"), "")) == documents


def test_a_long_log_takes_little_time() -> None:
    """Lines that only begin like a document, or like a time, take time by their number."""
    line = "2026-01-10T20:30:12Z {" + '"a": [' * 40 + "\n" + "x " * 40 + "\n"
    text = SourceText(line * 20_000, "x")  # with time by the square, this takes minutes
    assert len(list(parse_documents(text, ""))) == 20_000
