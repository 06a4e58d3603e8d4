"""Loading of tables that the toolkit or another tool wrote: our columns and dtypes again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from narwhals.stable.v2.typing import IntoFrame

from fastlaunch_nb.errors import SourceError, warn
from fastlaunch_nb.excel import read_workbook
from fastlaunch_nb.formatting import remove_guards
from fastlaunch_nb.frames import collect_frame, convert_arrow, is_frame
from fastlaunch_nb.schema.columns import TEXT, TIME
from fastlaunch_nb.schema.tables import ACCOUNT_IDS, find_dtypes
from fastlaunch_nb.sources.pages import empty_images
from fastlaunch_nb.sources.restore import assume_utc, restore_column
from fastlaunch_nb.validation import is_text_column

_EXPECTED: Final = (
    "Expected a table of fastlaunch_nb: a .parquet, .csv, .json or .xlsx file, or a DataFrame of "
    "any library."
)
_SEPARATORS: Final = (",", ";", "\t")
_SPARK: Final = b"org.apache.spark.version"


def load(source: str | os.PathLike[str] | IntoFrame) -> pd.DataFrame:
    r"""Load a table that the toolkit wrote, or that another tool has read and written since.

    Spreadsheets and other libraries change types: they take account ids for numbers, and drop
    the time zone. This function returns the columns and dtypes of the toolkit again.

    Parameters
    ----------
    source : path or DataFrame
        A ``.parquet``, ``.csv``, ``.json`` or ``.xlsx`` file, a folder of Parquet files as Spark
        writes it, or a frame of Polars, DuckDB, Spark, pyarrow, pandas or any other library that
        narwhals knows, lazy or not. The ending may be in any case. Reading ``.xlsx`` needs the
        extra ``[excel]``.

    Returns
    -------
    pandas.DataFrame
        Images, observations, a coverage, state intervals, findings, snapshots, metrics or
        launches, recognized by the columns. Known columns, joined ones included, have the dtypes
        of the toolkit; other columns stay, as text from a CSV file. Times are in UTC. Ids of
        accounts are 12 digits. Empty cells are null; an empty text that the toolkit wrote, and
        the apostrophes that it puts before formulas, are as they were.

    Raises
    ------
    InputError
        If a time names no time zone, digits of an account id were rounded away, or a column has
        values of another kind.
    SourceError
        If the source cannot be read, or has none of these tables.
    MissingExtraError
        If it is an ``.xlsx`` file, and openpyxl is not installed.

    Warns
    -----
    FastLaunchWarning
        If it is an ``.xlsx`` file with times: Excel knows no time zones, so they count as UTC.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import fastlaunch_nb as fl
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "images.csv")
    ...     size = file.write_text("account_id,image_id,observed_at,snapshots\n"
    ...                            "12345678901,ami-0abcdef1234567890,2026-01-15T13:00+01:00,6.0\n")
    ...     images = fl.load(file)
    >>> images.iloc[0].tolist()[::2], images["snapshots"].dtype
    (['012345678901', Timestamp('2026-01-15 12:00:00+0000', tz='UTC')], Int64Dtype())
    """
    rows = _move_index(_read(source))
    dtypes = find_dtypes(map(str, rows))
    if dtypes is None:
        raise SourceError(f"{_EXPECTED} {_describe_columns(rows)}")
    restored = {
        name: restore_column(rows[name], dtypes[name], is_account=name in ACCOUNT_IDS)
        for name in filter(dtypes.__contains__, map(str, rows))
    }
    return rows.assign(**restored)


def _read(source: Any) -> pd.DataFrame:
    if is_frame(source):
        return collect_frame(source, _EXPECTED)
    if not isinstance(source, str | os.PathLike):
        raise SourceError(f"{_EXPECTED} Got a {type(source).__name__}.")
    path = Path(os.path.expanduser(source))
    reader = _READERS.get(path.suffix.lower())
    if path.is_dir():
        reader = _read_parquet
    if reader is None:
        raise SourceError(f"{_EXPECTED} Got {str(path)!r}.")
    try:
        return reader(path)
    except OSError as error:
        raise SourceError(f"{str(path)!r} could not be read: {error.strerror or error}.") from None


def _move_index(rows: pd.DataFrame) -> pd.DataFrame:
    """Return named levels of an index as columns, and leave out an index without a name.

    ``to_csv`` and ``to_excel`` of pandas write such an index as a first column without a name.
    """
    names = [name for name in rows.index.names if name is not None and name not in rows]
    rows = rows.reset_index(names) if names else rows.reset_index(drop=True)
    rows = rows.reset_index(drop=True)
    first = str(rows.columns[0]) if len(rows.columns) else None
    return rows.iloc[:, 1:] if first in ("", "Unnamed: 0", "__index_level_0__") else rows


def _describe_columns(rows: pd.DataFrame) -> str:
    names = list(map(str, rows))
    if {"ImageId", "FastLaunchImages"} & set(names):
        return "Got a response of EC2, which fl.from_pages reads."
    if "detail-type" in names:
        return "Got events, which fl.from_events reads."
    more = ", …" if len(names) > 8 else ""
    return f"Got the columns {', '.join(names[:8])}{more}." if names else "Got no column."


# --- files ----------------------------------------------------------------------------


def _read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file, or a folder of them."""
    try:
        table = pq.read_table(path)
    except pa.ArrowException as error:
        hint = " Is it a store? fl.History reads it." if (path / "coverage").is_dir() else ""
        raise SourceError(f"{str(path)!r} is no Parquet: {error}.{hint}") from None
    files = [path] if path.is_file() else sorted(path.rglob("*.parquet"))[:1]
    for position, column in enumerate(table.schema):
        if files and pa.types.is_timestamp(column.type) and _is_instant(files[0], column.name):
            utc = table.column(position).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))
            table = table.set_column(position, column.name, utc)
    is_of_pandas = b"pandas" in (table.schema.metadata or {})  # which also names its index
    rows: pd.DataFrame = table.to_pandas() if is_of_pandas else convert_arrow(table)
    return rows


def _is_instant(file: Path, name: str) -> bool:
    """Return whether a column has times of Spark's own type INT96, which are in UTC."""
    parquet = pq.ParquetFile(file)
    if _SPARK not in (parquet.metadata.metadata or {}):
        return False
    position = parquet.schema_arrow.names.index(name)
    return str(parquet.schema.column(position).physical_type) == "INT96"


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file as text without guards; empty cells are null unless they are quoted."""
    text = _decode(path)
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    names = text.partition("\n")[0].rstrip("\r").split(separator)
    types = {name.strip('"'): pa.string() for name in names}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(text.encode()),
            read_options=pyarrow.csv.ReadOptions(block_size=min(max(len(text), 1) * 4, 2**31 - 1)),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )
    except pa.ArrowException as error:
        raise SourceError(f"{str(path)!r} is no CSV: {error}.") from None
    rows = convert_arrow(table)
    guarded = [name for name in rows if is_text_column(rows[name])]
    rows = rows.assign(**{str(name): _remove_guards(rows[name]) for name in guarded})
    return _use_decimal_points(rows) if separator != "," else rows


def _decode(path: Path) -> str:
    content = path.read_bytes()
    encoding = json.detect_encoding(content)  # PowerShell's > writes UTF-16
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")  # as Excel writes it on Windows


def _remove_guards(values: pd.Series) -> pd.Series:
    is_guarded = values.str.contains("'", regex=False).fillna(value=False).to_numpy(dtype=bool)
    return values.mask(is_guarded, values[is_guarded].map(remove_guards))


def _use_decimal_points(rows: pd.DataFrame) -> pd.DataFrame:
    """Return numbers with a point: where commas do not separate cells, they may be decimal."""
    dtypes = find_dtypes(map(str, rows)) or {}
    numbers = [name for name in map(str, rows) if dtypes.get(name) not in (None, TEXT, TIME)]
    comma = r"^(-?\d+),(\d+)$"
    return rows.assign(
        **{name: rows[name].str.replace(comma, r"\1.\2", regex=True) for name in numbers}
    )


def _read_json(path: Path) -> pd.DataFrame:
    """Read a list of objects, or an object on each line."""
    text = _decode(path)
    try:
        documents = _parse_json(text)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{str(path)!r} is no JSON: {error}.") from None
    if not all(isinstance(record, Mapping) for record in documents):
        raise SourceError(f"{_EXPECTED} The JSON of {str(path)!r} is no list of objects.")
    if not documents:  # an empty list has no columns
        return empty_images()
    names = dict.fromkeys(name for record in documents for name in record)
    columns = {name: [record.get(name) for record in documents] for name in names}
    return pd.DataFrame(columns, dtype=object)


def _parse_json(text: str) -> list[Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return document if isinstance(document, list) else [document]


def _read_xlsx(path: Path) -> pd.DataFrame:
    """Read a workbook; its times, which have no zone, count as UTC, with a warning."""
    rows = read_workbook(path.read_bytes(), path.name, _is_known)
    dtypes = find_dtypes(map(str, rows)) or {}
    names = [name for name in map(str, rows) if dtypes.get(name) == TIME]
    times = {name: assume_utc(rows[name]) for name in names}
    assumed = {name: values for name, values in times.items() if values is not None}
    if assumed:
        warn(
            f"Excel knows no time zones: the times of {', '.join(assumed)} in {path.name!r} "
            "count as UTC, as the toolkit writes them."
        )
    return rows.assign(**assumed)


def _is_known(names: Iterable[str]) -> bool:
    return find_dtypes(names) is not None


_READERS: Final[Mapping[str, Callable[[Path], pd.DataFrame]]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".json": _read_json,
    ".xlsx": _read_xlsx,
}
