"""Arrow tables of images: one for each page, concatenated to a DataFrame at the end.

They serve large reads: the columns of a page take a tenth of the memory of its
items, and are sent to another process unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa

from fastlaunch_nb.schema.columns import COLUMNS, COUNT, COVERAGE, NUMBER, TEXT, TIME, Column

Batch: TypeAlias = pa.Table
"""Rows of images as an Arrow table."""

_ARROW = {
    TEXT: pa.large_string(),
    COUNT: pa.int64(),
    NUMBER: pa.float64(),
    TIME: pa.timestamp("us", "UTC"),
}
_PANDAS = {_ARROW[dtype]: pd.api.types.pandas_dtype(dtype) for dtype in (TEXT, COUNT, NUMBER)}


def make_batch(
    images: pa.RecordBatch | Sequence[Mapping[str, Any]],
    *,
    account_id: str | None,
    region: str | None,
    observed_at: datetime | None,
) -> Batch:
    """Make a batch from the images of a page: columns by their paths, or botocore's items."""
    known: dict[str, Any] = {"account_id": account_id, "region": region, "observed_at": observed_at}
    arrays = []
    for name, dtype, _, path in COLUMNS:
        if not path:
            arrays.append(pa.repeat(pa.scalar(known[name], _ARROW[dtype]), len(images)))
        elif isinstance(images, Sequence):
            arrays.append(pa.array([_read_field(item, path) for item in images], _ARROW[dtype]))
        else:
            arrays.append(images.column(".".join(path)))
    return pa.Table.from_arrays(arrays, schema=_SCHEMA)


def _read_field(item: Any, path: Sequence[str]) -> Any:
    for key in path:
        item = item.get(key)
        if item is None:
            return None
    return item


def make_schema(columns: Iterable[Column], text: pa.DataType = _ARROW[TEXT]) -> pa.Schema:
    """Return the Arrow schema of columns, with `text` as the type of their text."""
    types = {**_ARROW, TEXT: text}
    return pa.schema([(column.name, types[column.dtype]) for column in columns])


_SCHEMA = make_schema(COLUMNS)


def convert_to_batch(images: pd.DataFrame) -> Batch:
    """Convert a DataFrame of images to a batch."""
    table = pa.Table.from_pandas(images, make_schema(COLUMNS), preserve_index=False)
    return table.replace_schema_metadata()


def concat_batches(batches: Iterable[Batch]) -> pd.DataFrame:
    """Concatenate batches to a DataFrame, in their order.

    Examples
    --------
    >>> page = [{"ImageId": "ami-0abcdef1234567890", "State": "enabled"}]
    >>> scope = {"account_id": "111122223333", "region": "eu-west-1", "observed_at": None}
    >>> concat_batches([make_batch(page, **scope)] * 2)[["region", "state"]].values.tolist()
    [['eu-west-1', 'enabled'], ['eu-west-1', 'enabled']]
    """
    empty = make_schema(COLUMNS).empty_table()
    return to_pandas(pa.concat_tables([empty, *batches]), COLUMNS)


def to_pandas(table: Batch, columns: Sequence[Column]) -> pd.DataFrame:
    """Convert an Arrow table to a DataFrame with these columns and their dtypes.

    Text may be dictionary-encoded.
    """
    schema = make_schema(columns)
    table = table.select(schema.names).cast(schema)
    rows: pd.DataFrame = table.to_pandas(types_mapper=_PANDAS.get, split_blocks=True)
    return rows.astype({column.name: TIME for column in columns if column.dtype == TIME})


def make_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Make a DataFrame of rows with these columns and their dtypes."""
    dtypes = {column.name: column.dtype for column in columns}
    return pd.DataFrame(list(rows), columns=list(dtypes)).astype(dtypes)


def make_coverage(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a DataFrame of rows with the columns and dtypes of :data:`COVERAGE`."""
    return make_table(rows, COVERAGE)
