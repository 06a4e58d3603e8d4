"""Frames: any eager DataFrame that narwhals knows as a pandas DataFrame, and times in UTC.

Every function that takes a frame takes it through :func:`to_pandas_frame`, which returns a
pandas DataFrame as it is.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import narwhals.stable.v2 as nw
import pandas as pd
import pyarrow as pa

from fastlaunch_nb.errors import InputError

AnyFrame: TypeAlias = "nw.DataFrame[Any] | nw.LazyFrame[Any]"

_TIME: Final = pd.DatetimeTZDtype("us", "UTC")


def open_frame(value: object) -> AnyFrame | None:
    """Return a frame of any library in narwhals, eager or lazy; None for other objects."""
    native = nw.to_native(value, pass_through=True)  # a frame may be in narwhals already
    frame: Any = nw.from_native(native, pass_through=True)
    return frame if isinstance(frame, nw.DataFrame | nw.LazyFrame) else None


def is_frame(value: object) -> bool:
    """Return whether a value is a frame of any library that narwhals knows."""
    return isinstance(value, pd.DataFrame) or open_frame(value) is not None


def to_pandas_frame(value: object, expected: str) -> pd.DataFrame:
    """Return any eager frame as a pandas DataFrame; refuse all else with the text `expected`.

    Examples
    --------
    >>> to_pandas_frame(pa.table({"image_id": ["ami-0abcdef1234567890"]}), "Expected a frame.")
                    image_id
    0  ami-0abcdef1234567890
    >>> to_pandas_frame("images.csv", "Expected a frame.")
    Traceback (most recent call last):
    fastlaunch_nb.errors.InputError: Expected a frame. Got a str.
    """
    if isinstance(value, pd.DataFrame):
        return value
    frame = open_frame(value)
    if frame is None:
        raise InputError(f"{expected} Got a {type(value).__name__}.")
    if isinstance(frame, nw.LazyFrame):
        is_polars = frame.implementation.is_polars()
        call = "frame.collect()" if is_polars else "narwhals.from_native(frame).collect()"
        library = frame.implementation.value
        raise InputError(f"{expected} Got a lazy frame of {library}. Pass its rows: {call}.")
    return convert_arrow(frame.to_arrow())


def collect_frame(value: object, expected: str) -> pd.DataFrame:
    """Return any frame as a pandas DataFrame, and collect a lazy one."""
    frame = open_frame(value)
    if isinstance(frame, nw.LazyFrame):
        return to_pandas_frame(frame.collect(), expected)
    return to_pandas_frame(value, expected)


def convert_arrow(table: pa.Table) -> pd.DataFrame:
    """Convert an Arrow table to a DataFrame whose text, whole numbers and flags may be null."""
    for position, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            values = table.column(position).cast(column.type.value_type)
            table = table.set_column(position, column.name, values)
    rows: pd.DataFrame = table.to_pandas(types_mapper=_choose_dtype, ignore_metadata=True)
    return rows


def _choose_dtype(arrow_type: pa.DataType) -> Any:
    """Return the nullable dtype of an Arrow type; None for pandas' own choice."""
    types = pa.types
    if types.is_string(arrow_type) or types.is_large_string(arrow_type):
        return pd.StringDtype()
    if types.is_integer(arrow_type) and not types.is_uint64(arrow_type):
        return pd.Int64Dtype()
    return pd.BooleanDtype() if types.is_boolean(arrow_type) else None


# --- times ----------------------------------------------------------------------------


def convert_times(values: pd.Series, label: str) -> pd.Series | None:
    """Return times of any zone in UTC; refuse those without a zone; None for other values.

    Examples
    --------
    >>> values = pd.Series(pd.to_datetime(["2026-01-15T12:00:00+09:00"]))
    >>> convert_times(values, "observed_at").tolist()
    [Timestamp('2026-01-15 03:00:00+0000', tz='UTC')]
    """
    dtype = values.dtype
    if dtype == _TIME:
        return values
    if isinstance(dtype, pd.DatetimeTZDtype):
        in_utc: pd.Series = values.dt.tz_convert("UTC").dt.as_unit("us")
        return in_utc
    known = values.dropna()
    if pd.api.types.is_object_dtype(dtype):
        if pd.api.types.infer_dtype(values, skipna=True) not in ("datetime", "datetime64"):
            return None
        known = known[[time.tzinfo is None for time in known]]
    elif not pd.api.types.is_datetime64_any_dtype(dtype):
        return None
    elif isinstance(dtype, pd.ArrowDtype) and dtype.pyarrow_dtype.tz is not None:
        return values.astype(_TIME)
    if len(known):
        raise make_naive_error(label, known.iloc[0], dtype)
    return pd.Series(pd.to_datetime(values, utc=True)).astype(_TIME)


def make_naive_error(column: str, example: object, dtype: object) -> InputError:
    """Return an error about times without a zone, with one of them and the remedy."""
    such_as = "" if example is None else f", such as {example}"
    return InputError(
        f"{column} has times without a time zone ({dtype}){such_as}. If they are in UTC, add it: "
        f'df["{column}"] = df["{column}"].dt.tz_localize("UTC"), or in Polars '
        '.dt.replace_time_zone("UTC"). If they come from toPandas() of Spark, they are in the '
        "time zone of its session, spark.sql.session.timeZone: pass the Spark frame's toArrow() "
        "instead, whose times have their zone."
    )
