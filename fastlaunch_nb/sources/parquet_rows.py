"""Parquet rows: a file's rows as dicts, within limits that keep the memory from filling up."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fastlaunch_nb.errors import SourceError
from fastlaunch_nb.sources import json_input

MAX_ROWS = 5_000_000  # a file may repeat a value any number of times


def parse_parquet(content: bytes, name: str, expected: str) -> Iterator[Any]:
    """Yield rows; refuse files whose text would fill the memory."""
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        size = _measure_parquet(file)
        if size <= json_input.MAX_BYTES and file.metadata.num_rows <= MAX_ROWS:
            yield from _iter_rows(content, file.schema_arrow)
            if not file.metadata.num_rows:
                yield []  # a table without rows is no empty file
            return
    except (pa.ArrowException, OSError, ValueError, OverflowError, IndexError) as error:
        message = " ".join(str(error).split())
        raise SourceError(f"{expected} Cannot parse {name} as Parquet: {message}.") from None
    raise SourceError(
        f"{expected} Got {name}, which holds more than {json_input.MAX_BYTES:,} bytes "
        f"or {MAX_ROWS:,} rows. Split it."
    )


def _measure_parquet(file: pq.ParquetFile) -> int:
    """Return the bytes of a file without compression."""
    groups = map(file.metadata.row_group, range(file.metadata.num_row_groups))
    return sum(group.total_byte_size for group in groups)


def _iter_rows(content: bytes, schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """Yield rows of plain values. Equal texts are one object, however often they stand."""
    size, names = 0, [field.name for field in schema if _is_plain(field.type)]
    texts = [field.name for field in schema if _is_text(field.type)]
    file = pq.ParquetFile(io.BytesIO(content), read_dictionary=texts)
    for batch in file.iter_batches(batch_size=4096, columns=names):
        columns = [list(_iter_cells(column)) for column in batch.columns]
        size += sum(len(cell) for column in columns for cell in column if isinstance(cell, str))
        if size > json_input.MAX_BYTES:
            raise ValueError(f"its text has more than {json_input.MAX_BYTES:,} characters")
        for cells in zip(*columns, strict=True):
            yield dict(zip(batch.schema.names, cells, strict=True))


def _is_plain(kind: pa.DataType) -> bool:
    """Return whether values are numbers, times, truth values, text, or nothing."""
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_primitive(kind) or pa.types.is_null(kind) or _is_text(kind))


def _is_text(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(test(kind) for test in tests)


def _iter_cells(column: pa.Array) -> Iterator[Any]:
    """Yield the values of a column; a number that is none is null."""
    if pa.types.is_dictionary(column.type):
        values = column.dictionary.to_pylist()
        yield from (None if at is None else values[at] for at in column.indices.to_pylist())
        return
    for value in column.to_pylist():
        yield None if isinstance(value, float) and math.isnan(value) else value
