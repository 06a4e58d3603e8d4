"""Parquet files of a store, in a folder or on S3: write, list, read and remove them.

Files never change, and readers never see half of one. Locally a file is written under
a hidden name and then renamed. On S3 it is sent in one request.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from fastlaunch_nb.errors import FastLaunchError, InputError, StoreError, redact
from fastlaunch_nb.history.file_rows import VERSION, VERSION_KEY, FileRows, parse_file
from fastlaunch_nb.history.file_schema import SCHEMAS
from fastlaunch_nb.threads import DaemonExecutor
from fastlaunch_nb.whole_files import write_file

MERGED_PREFIX: Final = "merged-"
_SUFFIX: Final = ".parquet"
_TEMPORARY = re.compile(r"\..+\.parquet\.[0-9a-f]{8}")  # the name of a file while it is written
_MAX_AGE = 24 * 3600  # seconds after which no writer can still be at work on such a file
_READERS: Final = 8  # files read at once, because each one takes a while to come from S3
_EXPECTED = "Expected a folder, or s3://bucket/prefix."


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
    needs it. `target` is the account that S3 is read and written with, as for
    :class:`fastlaunch_nb.History`.
    """

    def __init__(self, root: str | os.PathLike[str], target: Any = None) -> None:
        self.root = _parse_root(root)
        self.is_remote = self.root.startswith("s3://")
        self._target = None if target is None else _parse_target(target, self.root)
        # A relative path keeps its meaning if the process changes its folder.
        self._absolute = self.root if self.is_remote else os.path.abspath(self.root)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the connection and the session, which belong to this process."""
        state = {name: value for name, value in self.__dict__.items() if name != "_files"}
        if self._target is not None:
            from fastlaunch_nb.aws.targets import make_portable

            state["_target"] = make_portable(self._target)
        return state

    @property
    def _path(self) -> str:
        """The beginning of the paths of all files."""
        if not self.is_remote:
            return f"{Path(self._absolute).as_posix().rstrip('/')}/"
        _, *folders = filter(None, self.root.removeprefix("s3://").split("/"))
        return "".join(f"{folder}/" for folder in folders)

    @cached_property
    def _files(self) -> Any:
        """The files of this machine, or of the bucket, by their paths."""
        if not self.is_remote:
            return LocalFiles()
        from fastlaunch_nb.aws.s3_files import S3Files  # loads boto3

        bucket = self.root.removeprefix("s3://").partition("/")[0]
        return S3Files(bucket, self._target, connections=_READERS)

    @contextmanager
    def _translate_errors(self, action: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, FastLaunchError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StoreError(
                f"The store {self.root!r} could not be {action}: {redact(reason)}"
            ) from None

    def list_files(self) -> list[StoredFile]:
        """List all files of the store, by kind, date and name.

        Folders are listed in the reverse of the order in which a sweep is written: if its
        coverage is listed, so are its images.

        Raises
        ------
        StoreError
            If there is no store; on S3, which has no folders, if there is no file.
        """
        files = sorted(file for kind in reversed(SCHEMAS) for file in self.list_kind(kind))
        if not files and (self.is_remote or not Path(self._absolute).is_dir()):
            raise StoreError(f"There is no store at {self.root!r} yet: record() makes one.")
        return files

    def list_kind(self, kind: str, date: str | None = None) -> Iterator[StoredFile]:
        """Yield the files of a kind, of all dates or of one."""
        folder = f"{self._path}{kind}/"
        with self._translate_errors("listed"):
            infos = self._files.list(folder if date is None else f"{folder}date={date}/")
        for path, size in infos:
            date, _, name = path.removeprefix(folder).partition("/")
            is_complete = name.endswith(_SUFFIX) and not name.startswith(".") and "/" not in name
            if is_complete and date.startswith("date="):
                yield StoredFile(kind, date.removeprefix("date="), path, size)

    def write(self, kind: str, date: str, name: str, table: pa.Table) -> str:
        """Write a file completely, or not at all; return its path."""
        sink = pa.BufferOutputStream()
        table = table.replace_schema_metadata({VERSION_KEY: str(VERSION)})
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
        with self._translate_errors("written to"):
            path = f"{self._path}{kind}/date={date}/{name}{_SUFFIX}"
            self._files.write(path, sink.getvalue())
        return path

    def read(
        self, kind: str, files: Sequence[StoredFile], columns: Sequence[str] | None = None
    ) -> list[FileRows]:
        """Return all or some columns of each file of one kind, or the problem with it.

        Raises
        ------
        FileVanishedError
            If a file is gone.
        StoreError
            If a file cannot be read, which does not mean that it is damaged.
        """
        with closing(DaemonExecutor(_READERS)) as pool:
            return list(
                pool.map(lambda file: parse_file(self._read_file(file.path), kind, columns), files)
            )

    def _read_file(self, path: str) -> pa.Buffer:
        with self._translate_errors("read"), suppress(FileNotFoundError):
            return pa.py_buffer(self._files.read(path))
        raise FileVanishedError(path)

    def remove(self, files: Iterable[StoredFile]) -> None:
        """Remove files that are still there."""
        for file in files:
            with self._translate_errors("tidied"):
                self._files.remove(file.path)

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


def _parse_target(target: Any, root: str) -> Any:
    """Return a target; refuse what is none, and one for a folder, which needs none."""
    from fastlaunch_nb.aws.targets import parse_targets

    if not root.startswith("s3://"):
        raise InputError(f"target is for a store on S3, and the store is {root!r}. Leave it out.")
    parsed, *others = parse_targets(target)
    if others:
        raise InputError(f"target has {1 + len(others)} accounts. Expected one.")
    return parsed


def _parse_folder(text: str) -> str:
    if re.match("(?i)s3a?:", text):  # pathlib turns two slashes into one
        raise InputError(
            f"The store's address has one slash after s3. {_EXPECTED} Pass it as a str, not a Path."
        )
    folder = os.path.expanduser(text)
    if os.path.isfile(folder):
        raise InputError(f"{text!r} is a file. {_EXPECTED}")
    return folder


class LocalFiles:
    """Files on this machine, by path with slashes: with the methods of S3Files."""

    def list(self, prefix: str) -> list[tuple[str, int]]:
        """Return the path and the size of each file in a folder, at any depth."""
        found = []
        for folder, _, names in os.walk(prefix, onerror=_raise_unless_missing):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):  # another process has removed it
                    found.append((path.as_posix(), path.stat().st_size))
        return found

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        return Path(path).read_bytes()

    def write(self, path: str, content: pa.Buffer) -> None:
        """Write a file: under a hidden name, which is then replaced by its own."""
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_file(Path(path), memoryview(content))

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        Path(path).unlink(missing_ok=True)


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):  # a folder that is not there has no files
        raise error
