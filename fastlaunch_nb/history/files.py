"""Where the files of a store are: written whole or not at all, listed, read, taken away.

A folder, or a prefix on S3, of Parquet files that never change. Locally a file
is written under a hidden name and renamed; on S3 its bytes are sent in one
request, so that nobody ever sees half of it.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from fastlaunch_nb.errors import InputError, StoreError, redact

MERGED: Final = "merged-"
"""How the name of a file begins that holds what others held before."""
_ENDING: Final = ".parquet"
_FORGOTTEN = 24 * 3600  # seconds after which nobody is still writing a hidden file
_UNREADABLE = (pa.ArrowException, OSError, ValueError)


class StoredFile(NamedTuple):
    """A file of a store: of which kind and day it is, where, and how large."""

    kind: str
    date: str
    path: str
    size: int

    @property
    def is_merged(self) -> bool:
        """Whether it holds what others held before."""
        return self.path.rpartition("/")[2].startswith(MERGED)


class GoneError(Exception):
    """A file was there and is not any more: what it held has been merged into another."""


class Files:
    """The files of one store.

    Parameters
    ----------
    root : str or path
        A folder, or ``s3://bucket/prefix``.

    Raises
    ------
    InputError
        It is neither. Nothing is looked up or sent before a method needs it.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = _checked(root)
        self.is_remote = self.root.startswith("s3://")

    @cached_property
    def _place(self) -> tuple[fs.FileSystem, str]:
        """The file system, and the path in it."""
        if not self.is_remote:
            return fs.LocalFileSystem(), Path(self.root).absolute().as_posix()
        mark = "&" if "?" in self.root else "?"
        with self._in_words("opened"):  # with this option a file that is closed is one request
            system, path = fs.FileSystem.from_uri(f"{self.root}{mark}allow_delayed_open=true")
        return system, path.rstrip("/")

    @contextmanager
    def _in_words(self, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = error.strerror if error.errno and error.strerror else str(error)
            raise StoreError(
                f"The store {self.root!r} could not be {done}: {redact(why)}"
            ) from None

    def exists(self) -> bool:
        """Tell whether there is such a folder; on S3 there are none, only what is in them."""
        return not self.is_remote and Path(self.root).is_dir()

    def listed(self) -> list[StoredFile]:
        """Return all files of the store, by kind, day and name."""
        system, root = self._place
        with self._in_words("listed"):
            found = system.get_file_info(
                fs.FileSelector(root, allow_not_found=True, recursive=True)
            )
        files = []
        for info in found:
            kind, _, rest = info.path.removeprefix(f"{root}/").partition("/")
            date, _, name = rest.partition("/")
            whole = name.endswith(_ENDING) and not name.startswith(".") and "/" not in name
            if info.type == fs.FileType.File and whole and date.startswith("date="):
                files.append(StoredFile(kind, date.removeprefix("date="), info.path, info.size))
        return sorted(files)

    def write(self, kind: str, date: str, name: str, table: pa.Table) -> None:
        """Put a file there, whole or not at all."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        system, root = self._place
        folder = f"{root}/{kind}/date={date}"
        with self._in_words("written to"):
            if self.is_remote:
                with system.open_output_stream(f"{folder}/{name}{_ENDING}") as out:
                    out.write(sink.getvalue())
            else:
                _write_local(Path(folder), f"{name}{_ENDING}", sink.getvalue())

    def read(self, files: Sequence[StoredFile], schema: pa.Schema) -> tuple[pa.Table, list[str]]:
        """Return what files hold, and the paths of those that are damaged, which are left out.

        Text comes as numbers into a dictionary: most of it is the same few words.

        Raises
        ------
        GoneError
            A file is not there any more.
        """
        try:
            return self._table([file.path for file in files], schema), []
        except _UNREADABLE:
            damaged = [file.path for file in files if not self._is_sound(file.path, schema)]
        sound = [file.path for file in files if file.path not in damaged]
        with self._in_words("read"):
            return self._table(sound, schema), damaged

    def _table(self, paths: list[str], schema: pa.Schema) -> pa.Table:
        coded, form = _coded(schema)
        found = ds.dataset(paths, schema=coded, format=form, filesystem=self._place[0])
        return found.to_table().unify_dictionaries().combine_chunks()

    def _is_sound(self, path: str, schema: pa.Schema) -> bool:
        """Tell a file that is damaged from one that is gone, or that does not come."""
        try:
            with self._in_words("read"), self._place[0].open_input_file(path) as file:
                content = file.read_buffer()
        except StoreError:
            if self._place[0].get_file_info(path).type == fs.FileType.NotFound:
                raise GoneError(path) from None
            raise
        coded, form = _coded(schema)
        with suppress(*_UNREADABLE):
            form.make_fragment(content).to_table(schema=coded)
            return True
        return False

    def remove(self, files: Iterable[StoredFile]) -> None:
        """Take files away, if they are still there."""
        for file in files:
            with self._in_words("tidied"), suppress(FileNotFoundError):
                self._place[0].delete_file(file.path)

    def remove_forgotten(self) -> None:
        """Take away what writers that were killed have left, which nobody reads."""
        if self.is_remote:
            return  # nothing half-written ever was there
        oldest = time.time() - _FORGOTTEN
        for path in Path(self._place[1]).glob(f"*/date=*/.*{_ENDING}.*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _coded(schema: pa.Schema) -> tuple[pa.Schema, ds.ParquetFileFormat]:
    """Return the schema, and the form of files, in which text is numbers into a dictionary."""
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    coded = pa.dictionary(pa.int32(), pa.string())
    fields = [field.with_type(coded) if field.name in texts else field for field in schema]
    return pa.schema(fields), ds.ParquetFileFormat(dictionary_columns=texts)


def _write_local(folder: Path, name: str, content: pa.Buffer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    hidden = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        with hidden.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        hidden.replace(folder / name)
    finally:
        hidden.unlink(missing_ok=True)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """See to it that a new name outlives a power failure, where the system can."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _checked(root: Any) -> str:
    """Return where a store is to be; refuse what is no folder and no prefix of S3."""
    expected = "Expected a folder, or s3://bucket/prefix."
    if not isinstance(root, str | os.PathLike) or not os.fspath(root):
        raise InputError(f"The path of the store is {root!r}. {expected}")
    text = str(os.fspath(root))
    if "://" not in text:
        if Path(text).expanduser().is_file():
            raise InputError(f"{text!r} is a file. {expected}")
        return str(Path(text).expanduser())
    parts = urlsplit(text)
    if "@" in parts.netloc:
        raise InputError(
            "The store's address holds credentials. Leave them to AWS's configuration."
        )
    if parts.scheme != "s3" or not parts.netloc:
        raise InputError(f"The path of the store is {text!r}. {expected}")
    return text
