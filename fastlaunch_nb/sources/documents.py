"""Documents: the files and values of any source, read into items by what a caller looks for.

A file that is given must be readable. Of a folder what can be read is read, and one warning names
what was left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from fastlaunch_nb.errors import MissingExtraError, SourceError, warn
from fastlaunch_nb.formatting import format_count
from fastlaunch_nb.sources.envelopes import Document
from fastlaunch_nb.sources.formats import parse_formats
from fastlaunch_nb.sources.json_input import is_path, is_text, iter_elements, read_data

_MAX_REASONS = 5  # that a message has
FindItems = Callable[[Iterable[Document]], Iterable[Any]]


class _Batch(NamedTuple):
    """The items of a file, or of values without one."""

    items: list[Any]
    name: str
    is_optional: bool
    """True for a file of a folder, which may be left out."""


class SourceItems:
    """The items that `find_items` finds in the documents of a source, in order.

    Error messages begin with the text `expected`. A source that must not be empty is an error
    without any document.
    """

    def __init__(
        self, source: Any, expected: str, find_items: FindItems, *, may_be_empty: bool = True
    ) -> None:
        self._expected = expected
        self._find_items = find_items
        self._may_be_empty = may_be_empty
        self._batches: list[_Batch] = []
        self._left_out: list[str] = []
        self._read(source)
        self._check_rest()

    def items(self) -> list[Any]:
        """Return the items of all files and values."""
        return [item for batch in self._batches for item in batch.items]

    def to_frame(self, make_frame: Callable[[list[Any]], pd.DataFrame]) -> pd.DataFrame:
        """Convert the items to a DataFrame; warn if files of a folder were left out."""
        try:
            frame = make_frame(self.items())
        except SourceError:
            self._batches = list(self._select_convertible(make_frame))
            self._check_rest()
            frame = make_frame(self.items())
        if self._left_out:
            count = format_count(len(self._left_out), "file")
            warn(f"Left out {count} that could not be read. {self._join_reasons()}")
        return frame

    def _read(self, source: Any) -> None:
        """Read a source: a folder, a file, text, or an iterable of these or of values."""
        if is_text(source):
            folder = Path(os.path.expanduser(source)) if is_path(source) else None
            # Unlike Path.is_dir, os.path.isdir accepts any text.
            if folder is not None and os.path.isdir(folder):
                self._read_folder(folder)
            else:
                self._read_file(source)
            return
        values: list[Any] = []
        for element in iter_elements(source, self._expected):
            if is_text(element):
                self._add_values(values)
                values = []
                self._read(element)
            else:
                values.append(element)
        self._add_values(values)

    def _add_values(self, values: list[Any]) -> None:
        items = list(self._find_items(map(Document, values)))
        self._batches.append(_Batch(items, "", is_optional=False))

    def _read_file(self, source: Any, *, is_optional: bool = False) -> None:
        data = read_data(source, self._expected)
        origin = f" in {data.name}"
        documents = [Document(each, origin) for each in parse_formats(data, self._expected)]
        if not documents and not self._may_be_empty:
            raise SourceError(f"{self._expected} Cannot parse {data.name} as JSON. It is empty.")
        items = list(self._find_items(documents))
        self._batches.append(_Batch(items, data.name, is_optional))

    def _read_folder(self, folder: Path) -> None:
        paths = list(self._list_files(folder))
        if not paths and not self._left_out and not self._may_be_empty:
            raise SourceError(f"{self._expected} Got {str(folder)!r}, a folder without files.")
        for path in paths:
            try:
                self._read_file(path, is_optional=True)
            except (SourceError, MissingExtraError) as error:
                self._leave_out(error)

    def _list_files(self, folder: Path) -> Iterator[Path]:
        """Yield the files in a folder and below, without hidden ones."""

        def leave_out(error: OSError) -> None:
            self._left_out.append(f"Cannot read {error.filename!r}: {error.strerror}.")

        for parent, folders, files in os.walk(folder, onerror=leave_out):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for path in (Path(parent, name) for name in sorted(files) if not name.startswith(".")):
                if path.exists() and not path.is_file():  # a pipe may never end
                    self._left_out.append(f"Got {str(path)!r}, a pipe or a device. Move it.")
                else:
                    yield path

    def _select_convertible(
        self, make_frame: Callable[[list[Any]], pd.DataFrame]
    ) -> Iterator[_Batch]:
        """Yield the batches that can be converted; leave out the others, or name their file."""
        for batch in self._batches:
            try:
                make_frame(batch.items)
            except SourceError as error:
                if not batch.name:
                    raise
                reason = str(error).removeprefix(self._expected).strip()
                named = SourceError(f"{self._expected} In {batch.name}: {reason}")
                if not batch.is_optional:
                    raise named from None
                self._leave_out(named)
            else:
                yield batch

    def _check_rest(self) -> None:
        """Raise an error if files were left out, and the others have nothing."""
        if self._left_out and not self.items():
            raise SourceError(f"{self._expected} Nothing could be read. {self._join_reasons()}")

    def _leave_out(self, error: Exception) -> None:
        self._left_out.append(str(error).removeprefix(self._expected).strip())

    def _join_reasons(self) -> str:
        """Return why files were left out, each with its name."""
        reasons = self._left_out[:_MAX_REASONS]
        more = len(self._left_out) - len(reasons)
        return " ".join([*reasons, *([f"And {more:,} more."] if more else [])])
