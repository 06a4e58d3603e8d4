"""Replacement of files: small ones become one, a new one takes the place of old ones, days go.

No lock is needed. The new file is written before the others are removed, and a reader drops the
rows that it sees twice. If one of the others has vanished by then, another process has put a
file of its own in their place or deleted their day, and the new file is withdrawn.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final

import pyarrow as pa

from fastlaunch_nb.history.file_schema import SCHEMAS
from fastlaunch_nb.history.load import concat_rows
from fastlaunch_nb.history.store import MERGED_PREFIX, FileVanishedError, ParquetStore, StoredFile

_SMALL: Final = 32 << 20  # bytes; smaller files are merged into files of about this size
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")  # others may name their partitions otherwise
_MANY: Final = 4  # files of one kind and day, which are worth a merge


def group_small_files(listing: Iterable[StoredFile]) -> Iterator[list[StoredFile]]:
    """Yield groups of small files of one kind and date, each about the size of a large file."""
    small = [file for file in listing if file.kind in SCHEMAS and file.size < _SMALL]
    for _, files in groupby(small, key=lambda file: (file.kind, file.date)):
        group: list[StoredFile] = []
        size = 0
        for file in files:
            group.append(file)
            size += file.size
            if size >= _SMALL:
                yield group
                group, size = [], 0
        if len(group) > 1:
            yield group


def choose_day(listing: Iterable[StoredFile], before: str) -> list[list[StoredFile]]:
    """Return the groups to merge of one day before a date, if any day has many small files.

    The day is a random one, so that one that cannot be merged keeps no other from it, and
    several processes rarely merge the same.
    """
    groups = group_small_files(file for file in listing if file.date < before)
    scattered = [group for group in groups if _is_scattered(group)]
    day = secrets.choice([group[0].date for group in scattered]) if scattered else None
    return [group for group in scattered if group[0].date == day]


def _is_scattered(group: Sequence[StoredFile]) -> bool:
    """Return whether a merge is worth its reads, and does not repeat what failed before.

    Merged files next to those that they replaced mean that these cannot be removed: another
    merge would only add one more file. Two processes may have merged the same at one time.
    """
    merged = sum(file.is_merged for file in group)
    return merged == len(group) or (len(group) - merged >= _MANY and merged < 2)


def merge_files(store: ParquetStore, files: Sequence[StoredFile]) -> None:
    """Merge files of one kind and date, but for those that this version cannot read in full."""
    kind = files[0].kind
    with suppress(FileVanishedError):  # another process is merging them
        parsed = zip(files, store.read(kind, files), strict=True)
        known = {file: it.rows for file, it in parsed if it.is_known}
        if len(known) > 1:
            table = concat_rows(kind, known.values())
            is_copy = table.to_pandas().duplicated().to_numpy()
            replace_files(store, list(known), table.filter(pa.array(~is_copy)))


def replace_files(store: ParquetStore, files: Sequence[StoredFile], rows: pa.Table) -> None:
    """Write rows to a file, then remove the files that it replaces."""
    kind, date = files[0].kind, files[0].date
    name = f"{MERGED_PREFIX}{secrets.token_hex(8)}"
    path = store.write(kind, date, name, rows.cast(SCHEMAS[kind]))
    listing = list(store.list_kind(kind, date))
    if set(files) <= set(listing):
        store.remove(files)
    else:
        store.remove(file for file in listing if file.path == path)


def delete_days(store: ParquetStore, before: str) -> list[str]:
    """Delete the files of all days before a date; return the days that had any.

    The coverage goes before the images: without it they count no more, so that no reader
    misses them. More of it comes if another process merges meanwhile.
    """
    done: set[StoredFile] = set()
    for kind in reversed(SCHEMAS):
        while old := _list_before(store, kind, before) - done:
            store.remove(old)
            done |= old
    return sorted({file.date for file in done})


def _list_before(store: ParquetStore, kind: str, before: str) -> set[StoredFile]:
    days = (file for file in store.list_kind(kind) if _DAY.fullmatch(file.date))
    return {file for file in days if file.date < before}
