"""Parquet files of a store, in a folder or on S3: write, list, read and remove them.

Files never change, and readers never see half of one. Locally a file is written under
a hidden name and then renamed. On S3 it is sent in one request, or beyond 10 MB in
parts that become a file with the last one.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from fastlaunch_nb.errors import InputError, StoreError, redact
from fastlaunch_nb.history.file_rows import VERSION, VERSION_KEY, FileRows, parse_file
from fastlaunch_nb.history.file_schema import SCHEMAS
from fastlaunch_nb.threads import DaemonExecutor

MERGED_PREFIX: Final = "merged-"
_SUFFIX: Final = ".parquet"
_TEMPORARY = re.compile(r"\..+\.parquet\.[0-9a-f]{8}")  # the name of a file while it is written
_MAX_AGE = 24 * 3600  # seconds after which no writer can still be at work on such a file
_READERS: Final = 8  # files read at once, because each one takes a while to come from S3
S3_CONNECT_TIMEOUT: Final = 10.0  # seconds
S3_REQUEST_TIMEOUT: Final = 20.0  # seconds without data from S3
S3_ATTEMPTS: Final = 3  # per request, including the first
S3_TIMEOUT: Final = 180.0  # seconds for a whole listing, or for a file
_EXPECTED = "Expected a folder, or s3://bucket/prefix."
_REMEDIES: Final = {
    "NO_SUCH_BUCKET": " Create the bucket first, or use another one.",
    "ACCESS_DENIED": (
        " It takes s3:ListBucket on the bucket and, on its objects, s3:GetObject to read, "
        "s3:PutObject to record, and s3:DeleteObject to compact."
    ),
}
"""Advice for each of S3's errors, under pyarrow's name for it."""


T = TypeVar("T")


class StoredFile(NamedTuple):
    """A file of a store: its kind, date, path and size in bytes."""

    kind: str
    date: str
    path: str
    size: int

    @property
    def is_merged(self) -> bool:
        """True if the file replaces others."""
        return self.path.rpartition("/")[2].startswith(MERGED_PREFIX)


class FileVanishedError(Exception):
    """A listed file is gone, because it was merged into another."""


class ParquetStore:
    """The files of one store, in a folder or at ``s3://bucket/prefix``.

    Any other root raises InputError. No file is read and no request is sent until a method
    needs it.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = _parse_root(root)
        self.is_remote = self.root.startswith("s3://")
        # A relative path keeps its meaning if the process changes its folder.
        self._absolute = self.root if self.is_remote else os.path.abspath(self.root)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the connection, which belongs to this process."""
        return {name: value for name, value in self.__dict__.items() if name != "_location"}

    @cached_property
    def _location(self) -> tuple[fs.FileSystem, str]:
        """The file system, and the store's path in it.

        S3 is at the endpoint that the environment names, or in the region of the bucket.
        """
        if not self.is_remote:
            return fs.LocalFileSystem(), Path(self._absolute).as_posix().rstrip("/")
        path = "/".join(filter(None, self._absolute.removeprefix("s3://").split("/")))
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL"))
        find_region = partial(fs.resolve_s3_region, path.partition("/")[0])
        with self._translate_errors("opened"):
            s3 = fs.S3FileSystem(
                endpoint_override=endpoint,
                region=None if endpoint else self._run(find_region),
                connect_timeout=S3_CONNECT_TIMEOUT,
                request_timeout=S3_REQUEST_TIMEOUT,
                retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=S3_ATTEMPTS),
                allow_delayed_open=True,  # so that writing a file is one request
            )
        return s3, path

    @contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            remedy = "".join(text for code, text in _REMEDIES.items() if code in reason)
            raise StoreError(
                f"The store {self.root!r} could not be {action}: {redact(reason)}{remedy}"
            ) from None

    def _run(self, call: Callable[[], T]) -> T:
        """Call a function of the file system. S3 may send byte by byte, but not for ever."""
        if not self.is_remote:
            return call()
        with closing(DaemonExecutor()) as executor:
            try:
                return executor.submit(call).result(S3_TIMEOUT)
            except TimeoutError:
                raise OSError(f"S3 took longer than {S3_TIMEOUT:g} seconds. Try again.") from None

    def list_files(self) -> list[StoredFile]:
        """List all files of the store, by kind, date and name.

        Folders are listed in the reverse of the order in which a sweep is written: if its
        coverage is listed, so are its images.

        Raises
        ------
        StoreError
            If there is no store; on S3, which has no folders, if there is no file.
        """
        files = sorted(file for kind in reversed(SCHEMAS) for file in self._list_kind(kind))
        if not files and (self.is_remote or not Path(self._absolute).is_dir()):
            raise StoreError(f"There is no store at {self.root!r} yet: record() makes one.")
        return files

    def _list_kind(self, kind: str) -> Iterator[StoredFile]:
        system, root = self._location
        folder = f"{root}/{kind}"
        with self._translate_errors("listed"):
            selector = fs.FileSelector(folder, allow_not_found=True, recursive=True)
            infos = self._run(partial(system.get_file_info, selector))
        for info in infos:
            date, _, name = info.path.removeprefix(f"{folder}/").partition("/")
            is_complete = name.endswith(_SUFFIX) and not name.startswith(".") and "/" not in name
            if info.type == fs.FileType.File and is_complete and date.startswith("date="):
                yield StoredFile(kind, date.removeprefix("date="), info.path, info.size)

    def write(self, kind: str, date: str, name: str, table: pa.Table) -> None:
        """Write a file completely, or not at all."""
        sink = pa.BufferOutputStream()
        table = table.replace_schema_metadata({VERSION_KEY: str(VERSION)})
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        system, root = self._location
        folder = f"{root}/{kind}/date={date}"
        content = sink.getvalue()
        with self._translate_errors("written to"):
            if self.is_remote:
                self._run(partial(_write_remote, system, f"{folder}/{name}{_SUFFIX}", content))
            else:
                _write_local(Path(folder), f"{name}{_SUFFIX}", content)

    def read(self, kind: str, files: Sequence[StoredFile]) -> list[FileRows]:
        """Return the rows of each file of one kind, or the problem with it.

        Raises
        ------
        FileVanishedError
            If a file is gone.
        StoreError
            If a file cannot be read, which does not mean that it is damaged.
        """
        with closing(DaemonExecutor(_READERS)) as pool:
            return list(pool.map(lambda file: parse_file(self._read_file(file.path), kind), files))

    def _read_file(self, path: str) -> pa.Buffer:
        system = self._location[0]
        try:
            with self._translate_errors("read"):
                return self._run(partial(_read_buffer, system, path))
        except StoreError:
            with self._translate_errors("read"):
                info = self._run(partial(system.get_file_info, path))
                is_gone = info.type == fs.FileType.NotFound
            if is_gone:
                raise FileVanishedError(path) from None
            raise

    def remove(self, files: Iterable[StoredFile]) -> None:
        """Remove files that are still there."""
        for file in files:
            with self._translate_errors("tidied"), suppress(FileNotFoundError):
                self._run(partial(self._location[0].delete_file, file.path))

    def remove_temporary_files(self) -> None:
        """Remove the files that killed writers left. No reader sees them."""
        if self.is_remote:
            return  # S3 has no such files
        oldest = time.time() - _MAX_AGE
        with self._translate_errors("tidied"):
            for path in Path(self._absolute).glob("*/date=*/.*"):
                with suppress(FileNotFoundError):
                    if _TEMPORARY.fullmatch(path.name) and path.stat().st_mtime < oldest:
                        path.unlink()


def _parse_root(root: Any) -> str:
    """Return the folder or S3 address of a store as text."""
    text = os.fspath(root) if isinstance(root, str | os.PathLike) else ""
    if not isinstance(text, str) or not text:
        raise InputError(f"The path of the store is {root!r}. {_EXPECTED}")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return _parse_folder(text)
    bucket, _, prefix = rest.partition("/")
    if not {"@", ":"}.isdisjoint(bucket) or "?" in rest:  # the message repeats no secrets
        raise InputError(
            "The store's address contains credentials or options. Put them into AWS's "
            f"configuration files or environment variables. {_EXPECTED}"
        )
    if scheme.lower() != "s3" or not bucket:
        raise InputError(f"The path of the store is {text!r}. {_EXPECTED}")
    return f"s3://{bucket}/{prefix}".rstrip("/")


def _parse_folder(text: str) -> str:
    if re.match("(?i)s3a?:", text):  # pathlib turns two slashes into one
        raise InputError(
            f"The store's address has one slash after s3. {_EXPECTED} Pass it as a str, not a Path."
        )
    folder = os.path.expanduser(text)
    if os.path.isfile(folder):
        raise InputError(f"{text!r} is a file. {_EXPECTED}")
    return folder


def _read_buffer(system: fs.FileSystem, path: str) -> pa.Buffer:
    with system.open_input_file(path) as file:
        return file.read_buffer()


def _write_remote(system: fs.FileSystem, path: str, content: pa.Buffer) -> None:
    with system.open_output_stream(path) as out:
        out.write(content)


def _write_local(folder: Path, name: str, content: pa.Buffer) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        with temporary.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(folder / name)
    finally:
        temporary.unlink(missing_ok=True)
    with suppress(OSError):  # some systems cannot sync a folder, so that the name outlives a crash
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
