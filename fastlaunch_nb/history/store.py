"""Where the files of a store are: written whole or not at all, listed, read, taken away.

A folder, or a prefix on S3, of Parquet files that never change. Locally a file
is written under a hidden name and renamed. On S3 its bytes are sent in one
request, or beyond 10 MB in parts that are nothing until the last one is there.
Nobody ever sees half of it.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from fastlaunch_nb.errors import InputError, StoreError, redact
from fastlaunch_nb.history.file_schema import SCHEMAS

MERGED: Final = "merged-"
"""How the name of a file begins that holds what others held before."""
_ENDING: Final = ".parquet"
_HIDDEN = re.compile(r"\..+\.parquet\.[0-9a-f]{8}")  # the name of a file that is being written
_FORGOTTEN = 24 * 3600  # seconds after which nobody is still writing it
_AT_ONCE: Final = 8  # files that are read: on S3 each one takes a while to come
S3_CONNECT_TIMEOUT: Final = 10.0  # seconds until S3 takes a connection
S3_REQUEST_TIMEOUT: Final = 20.0  # seconds of a request in which nothing comes from S3
S3_ATTEMPTS: Final = 3  # at one request, the first included
_UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError)
_EXPECTED = "Expected a folder, or s3://bucket/prefix."
_REMEDIES: Final = {
    "NO_SUCH_BUCKET": " Make the bucket first, or name another one.",
    "ACCESS_DENIED": (
        " It takes s3:ListBucket on the bucket and, on what is in it, s3:GetObject to read, "
        "s3:PutObject to record, and s3:DeleteObject too to compact."
    ),
}
"""What to do about S3's answers, which pyarrow names."""


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


class FileVanishedError(Exception):
    """A file was there and is not any more: what it held has been merged into another."""


class ParquetStore:
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
        # A store stays where it is if the process goes to another folder.
        self._absolute = self.root if self.is_remote else os.path.abspath(self.root)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the connection, which belongs to this process."""
        return {name: value for name, value in self.__dict__.items() if name != "_place"}

    @cached_property
    def _place(self) -> tuple[fs.FileSystem, str]:
        """The file system, and the path in it."""
        if not self.is_remote:
            return fs.LocalFileSystem(), Path(self._absolute).as_posix().rstrip("/")
        path = "/".join(filter(None, self._absolute.removeprefix("s3://").split("/")))
        with self._in_words("opened"):
            return _s3(path.partition("/")[0]), path

    @contextmanager
    def _in_words(self, done: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            remedy = "".join(text for code, text in _REMEDIES.items() if code in why)
            raise StoreError(
                f"The store {self.root!r} could not be {done}: {redact(why)}{remedy}"
            ) from None

    def listed(self) -> list[StoredFile]:
        """Return all files of the store, by kind, day and name.

        Folders are listed in the reverse of the order in which a sweep writes to them:
        where its coverage is listed, its images are.

        Raises
        ------
        StoreError
            There is none; on S3, where there are no folders, one without files is none.
        """
        found = sorted(file for kind in reversed(SCHEMAS) for file in self._listed(kind))
        if not found and (self.is_remote or not Path(self._absolute).is_dir()):
            raise StoreError(f"There is no store at {self.root!r} yet: record() makes one.")
        return found

    def _listed(self, kind: str) -> Iterator[StoredFile]:
        system, root = self._place
        folder = f"{root}/{kind}"
        with self._in_words("listed"):
            selector = fs.FileSelector(folder, allow_not_found=True, recursive=True)
            found = system.get_file_info(selector)
        for info in found:
            date, _, name = info.path.removeprefix(f"{folder}/").partition("/")
            whole = name.endswith(_ENDING) and not name.startswith(".") and "/" not in name
            if info.type == fs.FileType.File and whole and date.startswith("date="):
                yield StoredFile(kind, date.removeprefix("date="), info.path, info.size)

    def write(self, kind: str, date: str, name: str, table: pa.Table) -> None:
        """Put a file there, whole or not at all."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        system, root = self._place
        folder = f"{root}/{kind}/date={date}"
        with self._in_words("written to"):
            if self.is_remote:
                with system.open_output_stream(f"{folder}/{name}{_ENDING}") as out:
                    out.write(sink.getvalue())
            else:
                _write_local(Path(folder), f"{name}{_ENDING}", sink.getvalue())

    def read(self, kind: str, files: Sequence[StoredFile]) -> tuple[pa.Table, list[str]]:
        """Return what files of a kind hold, and the paths of the damaged, which are left out.

        Text comes as numbers into a dictionary: most of it is the same few words.

        Raises
        ------
        GoneError
            A file is not there any more.
        StoreError
            A file does not come, which does not make it a damaged one.
        """
        paths = [file.path for file in files]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            tables = list(pool.map(lambda path: _table(kind, self._content(path)), paths))
        found = [_coded(kind).empty_table(), *(table for table in tables if table is not None)]
        damaged = [path for path, table in zip(paths, tables, strict=True) if table is None]
        return pa.concat_tables(found).unify_dictionaries().combine_chunks(), damaged

    def _content(self, path: str) -> pa.Buffer:
        try:
            with self._in_words("read"), self._place[0].open_input_file(path) as file:
                return file.read_buffer()
        except StoreError:
            with self._in_words("read"):
                is_gone = self._place[0].get_file_info(path).type == fs.FileType.NotFound
            if is_gone:
                raise FileVanishedError(path) from None
            raise

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
        with self._in_words("tidied"):
            for path in Path(self._absolute).glob("*/date=*/.*"):
                with suppress(FileNotFoundError):
                    if _HIDDEN.fullmatch(path.name) and path.stat().st_mtime < oldest:
                        path.unlink()


def _s3(bucket: str) -> fs.S3FileSystem:
    """Return S3 as the environment leads to it: its endpoint, else the region of the bucket.

    A file that is closed is one request, by its delayed open.
    """
    every = os.environ.get("AWS_ENDPOINT_URL")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3", every)
    return fs.S3FileSystem(
        endpoint_override=endpoint,
        region=None if endpoint else fs.resolve_s3_region(bucket),
        connect_timeout=S3_CONNECT_TIMEOUT,
        request_timeout=S3_REQUEST_TIMEOUT,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS),
        allow_delayed_open=True,
    )


def _table(kind: str, content: pa.Buffer) -> pa.Table | None:
    """Return the rows of a file's content; None if it is damaged, or not a store's."""
    schema = _coded(kind)
    texts = [field.name for field in SCHEMAS[kind] if pa.types.is_string(field.type)]
    try:
        file = pq.ParquetFile(
            pa.BufferReader(content), read_dictionary=texts, page_checksum_verification=True
        )
        rows = file.read(schema.names)
        rows.validate(full=True)  # what has no checksum: that numbers are in their dictionary
    except MemoryError:  # one of Arrow's as well: the file may be sound
        raise
    except _UNREADABLE:
        return None
    return rows.replace_schema_metadata() if rows.schema.equals(schema) else None


def _coded(kind: str) -> pa.Schema:
    """Return the schema of a kind of files in which text is numbers into a dictionary."""
    coded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [(f.name, coded if pa.types.is_string(f.type) else f.type) for f in SCHEMAS[kind]]
    )


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
    text = os.fspath(root) if isinstance(root, str | os.PathLike) else ""
    if not isinstance(text, str) or not text:
        raise InputError(f"The path of the store is {root!r}. {_EXPECTED}")
    scheme, mark, rest = text.partition("://")
    if not mark:
        return _checked_folder(text)
    bucket, _, prefix = rest.partition("/")
    if not {"@", ":"}.isdisjoint(bucket) or "?" in rest:  # the address may hold secrets
        raise InputError(
            "The store's address holds credentials or options. Leave them to AWS's configuration "
            f"and environment variables. {_EXPECTED}"
        )
    if scheme.lower() != "s3" or not bucket:
        raise InputError(f"The path of the store is {text!r}. {_EXPECTED}")
    return f"s3://{bucket}/{prefix}".rstrip("/")


def _checked_folder(text: str) -> str:
    if re.match("(?i)s3a?:", text):  # as pathlib leaves it, with one slash
        raise InputError(
            f"The store's address has one slash after s3. {_EXPECTED} Give it as text."
        )
    folder = os.path.expanduser(text)
    if os.path.isfile(folder):
        raise InputError(f"{text!r} is a file. {_EXPECTED}")
    return folder
