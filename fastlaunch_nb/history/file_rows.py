"""Rows of a stored file, which this or another version of the toolkit wrote.

A later version may add columns, and other programs rewrite files with types of their own. So
missing columns are null, other types of the same kind are converted, and unknown columns are
left out. A file that has any is never merged, as the merged file would lack them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fastlaunch_nb.errors import remove_secrets
from fastlaunch_nb.history.file_schema import KINDS, RECORD, SCHEMAS
from fastlaunch_nb.schema.arrow import make_schema
from fastlaunch_nb.schema.columns import ACCOUNT_REGION, KEY

VERSION: Final = 1
"""The version of the schema. It grows if a column is added or changes its meaning."""
VERSION_KEY: Final = b"fastlaunch_nb.version"
"""Where the metadata of a file has the version; the first files have none."""
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "images": (*KEY, "observed_at", *(column.name for column in RECORD)),
    "coverage": (*ACCOUNT_REGION, "status", "observed_at", *(column.name for column in RECORD)),
    "events": (*KEY, "observed_at", "event_id"),
}
"""Columns without which the rows of a file mean nothing."""

MESSAGES: Final = frozenset({"error_code", "error_message", "state_transition_reason"})
"""Columns with text that AWS, a proxy or the network wrote."""

_TEXT_TYPES: Final = (pa.string(), pa.large_string(), pa.string_view())
_ENCODED_TEXT: Final = pa.dictionary(pa.int32(), pa.string())
_MAX_ROWS: Final = 50_000_000  # in a file, which has one day: hourly scans of 2 million images
_MAX_BYTES: Final = 8 << 30  # when it is no longer compressed
_UNREADABLE: Final = (pa.ArrowException, OSError, ValueError, KeyError)


class FileRows(NamedTuple):
    """The rows of a file in this version's schema, or None and the problem with the file.

    `is_known` is False if the file has something that this version does not know.
    """

    rows: pa.Table | None
    problem: str = ""
    is_known: bool = False


def parse_file(content: pa.Buffer, kind: str, columns: Sequence[str] | None = None) -> FileRows:
    """Return the rows of a file; text is dictionary-encoded, because most of it repeats.

    All columns are checked, and those that are named in `columns` are returned: a damaged file
    is damaged for every query. The problem with a file completes the sentence "The file is …".
    """
    try:
        footer = pq.read_metadata(pa.BufferReader(content))
        stored_schema = footer.schema.to_arrow_schema()
        names = stored_schema.names
        if _is_oversized(footer):
            return FileRows(None, f"too large to read ({footer.num_rows:,} rows)")
        if missing := [name for name in REQUIRED[kind] if name not in names]:
            return FileRows(None, f"of another schema (no column {missing[0]})")
        wanted = [name for name in SCHEMAS[kind].names if name in names]
        texts = [name for name in wanted if stored_schema.field(name).type in _TEXT_TYPES]
        file = pq.ParquetFile(
            pa.BufferReader(content),
            metadata=footer,
            read_dictionary=texts,
            page_checksum_verification=True,
        )
        stored = file.read(wanted)
        stored.validate(full=True)  # no checksum covers that indices are within their dictionary
        version = int((stored_schema.metadata or {}).get(VERSION_KEY, VERSION))
    except MemoryError:  # Arrow's own included: the file may be sound
        raise
    except _UNREADABLE:
        return FileRows(None, "damaged")
    try:
        rows = _convert(stored, encode_schema(kind))
    except pa.ArrowException as error:
        return FileRows(None, f"of another schema ({error})")
    is_known = version <= VERSION and set(names) <= set(SCHEMAS[kind].names)
    return FileRows(rows if columns is None else rows.select(columns), is_known=is_known)


def _is_oversized(footer: pq.FileMetaData) -> bool:
    """Return whether a file, which may be small, has more than what this toolkit writes."""
    groups = (footer.row_group(number) for number in range(footer.num_row_groups))
    size = sum(group.total_byte_size for group in groups)
    return bool(footer.num_rows > _MAX_ROWS or size > _MAX_BYTES)


def redact_rows(kind: str, rows: pa.Table, secrets: Iterable[str]) -> tuple[pa.Table, int]:
    """Return rows without secrets in their messages, and the number of rows that had any."""
    is_changed = pd.Series(False, range(len(rows)))
    for name in MESSAGES.intersection(rows.column_names):
        texts = rows[name].to_pandas().astype(object)
        redacted = {text: remove_secrets(text, (), secrets) for text in texts.dropna().unique()}
        new = texts.map(redacted)
        is_changed |= new.ne(texts) & texts.notna()
        column = pa.array(new, pa.string(), from_pandas=True).dictionary_encode()
        rows = rows.set_column(rows.column_names.index(name), name, column)
    return rows, int(is_changed.sum())


@cache
def encode_schema(kind: str) -> pa.Schema:
    """Return the schema of a kind of file, with dictionary-encoded text."""
    return make_schema(KINDS[kind], _ENCODED_TEXT)


def _convert(stored: pa.Table, schema: pa.Schema) -> pa.Table:
    if stored.schema.equals(schema):
        return stored.replace_schema_metadata()
    columns = []
    for field in schema:
        is_missing = field.name not in stored.column_names
        column = pa.nulls(len(stored), field.type) if is_missing else stored[field.name]
        if not _is_convertible(column.type, field.type):
            kind = getattr(column.type, "value_type", column.type)
            raise pa.ArrowTypeError(f"{kind} in the column {field.name}")
        columns.append(_cast(column, field.type))
    return pa.table(columns, schema=schema)


def _is_convertible(stored: pa.DataType, wanted: pa.DataType) -> bool:
    """Return whether a value of one type has the same meaning in another."""
    types = pa.types
    if types.is_dictionary(stored):
        stored = stored.value_type
    if types.is_null(stored):
        return True
    if wanted == _ENCODED_TEXT:
        return stored in _TEXT_TYPES
    if types.is_timestamp(wanted):
        return bool(types.is_timestamp(stored))
    return bool(
        types.is_integer(stored) or (types.is_floating(stored) and types.is_floating(wanted))
    )


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if column.type == wanted:
        return column
    if pa.types.is_dictionary(column.type):
        column = pa.chunked_array(
            [chunk.dictionary_decode() for chunk in column.chunks], column.type.value_type
        )
    if wanted == _ENCODED_TEXT:
        return column.cast(pa.string()).dictionary_encode().cast(wanted)
    # Nanoseconds become microseconds, which is more than AWS knows; all else must fit.
    return pc.cast(column, options=pc.CastOptions(wanted, allow_time_truncate=True))
