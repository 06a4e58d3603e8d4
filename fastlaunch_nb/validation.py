"""Validation: every check of arguments and of DataFrames, before anything else happens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import pandas as pd
import pyarrow as pa
from pandas.api.types import pandas_dtype

from fastlaunch_nb.errors import InputError, did_you_mean, warn
from fastlaunch_nb.frames import convert_times, to_pandas_frame
from fastlaunch_nb.schema.columns import API_FILTERS, API_STATES, COUNT, FLAG, TEXT, TIME
from fastlaunch_nb.schema.tables import TABLE_DTYPES

EPOCH: Final = pd.Timestamp(0, tz="UTC").as_unit("us")
"""1970, in the unit of all times: nanoseconds would end in 2262."""
_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")
_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_End = TypeVar("_End", int, pd.Timestamp)


# --- accounts, regions, images --------------------------------------------------------


def check_account_id(account_id: str | None) -> None:
    """Check an account id; None passes."""
    if account_id is not None and not _matches(_ACCOUNT_ID, account_id):
        raise InputError(f"account_id is {account_id!r}. Expected 12 digits as text.")


def check_region(region: str | None) -> None:
    """Check the name of a region; None passes."""
    if region is not None and not _matches(_REGION, region):
        raise InputError(f"region is {region!r}. Expected a region's name, such as 'eu-west-1'.")


def parse_regions(regions: str | Iterable[str]) -> tuple[str, ...]:
    """Return regions, or a single one, as a tuple without duplicates; refuse an empty one."""
    if not isinstance(regions, Iterable):
        raise InputError(f"regions is {regions!r}. Expected names such as 'eu-west-1'.")
    names = tuple(dict.fromkeys(split_text(regions)))
    if not names:
        raise InputError(
            "regions is empty. Expected names such as 'eu-west-1', or None for all of them."
        )
    for region in names:
        if region is None:
            raise InputError("regions has None. Expected names such as 'eu-west-1'.")
        check_region(region)
    return names


def split_text(values: Any) -> Iterable[Any]:
    """Return the values of one text, which commas may separate; other values as they are.

    A notebook's parameter is one text where papermill sets it on its command line. Ids and the
    names of regions have no commas.

    Examples
    --------
    >>> split_text("us-east-1, eu-west-1")
    ['us-east-1', 'eu-west-1']
    """
    if not isinstance(values, str):
        return values  # type: ignore[no-any-return]
    return [value.strip() for value in values.split(",")] if "," in values else [values]


def parse_image_ids(image_ids: str | Iterable[str]) -> list[str]:
    """Return image ids, or a single one, as a list; refuse malformed ids and an empty list."""
    if not isinstance(image_ids, Iterable):
        raise InputError(f"image_ids is {image_ids!r}. Expected ids such as 'ami-…', as a list.")
    ids = list(split_text(image_ids))
    if not ids:
        raise InputError(
            "image_ids is empty, which EC2 takes to mean all images. "
            "Leave it out, or pass None, to read all of them."
        )
    for image_id in ids:
        if not _matches(_IMAGE_ID, image_id):
            raise InputError(
                f"image_ids has {image_id!r}. "
                "Expected 'ami-' and 8 to 17 hexadecimal digits in lower case."
            )
    return ids


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


# --- times ----------------------------------------------------------------


def parse_time(name: str, value: datetime | str) -> pd.Timestamp:
    """Return a time in UTC, also if it names no time zone."""
    time: object = None
    if isinstance(value, datetime | str):
        with suppress(ValueError):
            time = pd.to_datetime(value, utc=True)
    if not isinstance(time, pd.Timestamp):  # NaT is not one
        raise InputError(
            f"{name} is {value!r}. Expected a datetime, or text such as '2026-01-15T12:00:00Z'."
        )
    return time.as_unit("us")


def parse_duration(
    name: str, value: object, example: str, least: pd.Timedelta
) -> pd.Timedelta | None:
    """Return a duration of at least `least`; None passes."""
    if value is None:
        return None
    if isinstance(value, str | timedelta):  # a bare number would be nanoseconds
        with suppress(ValueError):
            duration = pd.Timedelta(value)
            if duration >= least:
                return duration
    raise InputError(f"{name} is {value!r}. Expected a duration such as {example!r}, or None.")


def parse_range(
    name: str, value: object, parse_end: Callable[[str, Any], _End]
) -> tuple[_End | None, _End | None] | None:
    """Return a range as a pair of parsed ends; None if both ends are open.

    Examples
    --------
    >>> from fastlaunch_nb.number_checks import parse_count
    >>> parse_range("target_resource_count", [1, None], parse_count)
    (1, None)
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise InputError(
            f"{name} is {value!r}. Expected a pair, (low, high), in which None is an open end."
        )
    low, high = (None if end is None else parse_end(name, end) for end in value)
    if low is None and high is None:
        return None
    if low is not None and high is not None and low > high:
        raise InputError(f"{name} is {value!r}. Expected low before high: swap them.")
    return low, high


# --- filters --------------------------------------------------------------------------


def parse_api_filters(filters: Any) -> list[dict[str, Any]]:
    """Return filters, a dict or boto3's list of dicts, as boto3's list of dicts.

    Refuse unknown names and missing values, but only warn of an unknown state: AWS may add some.

    Examples
    --------
    >>> parse_api_filters({"state": ["enabled", "enabling"]})
    [{'Name': 'state', 'Values': ['enabled', 'enabling']}]
    """
    if isinstance(filters, Mapping):
        filters = [{"Name": name, "Values": values} for name, values in filters.items()]
    if isinstance(filters, str) or not isinstance(filters, Iterable):
        raise InputError(
            f"filters is {filters!r}. Expected a dict such as {{'state': ['enabled']}}, "
            "boto3's list of {'Name': ..., 'Values': [...]}, or Filters."
        )
    parsed = []
    for entry in filters:
        if not isinstance(entry, Mapping) or entry.keys() != {"Name", "Values"}:
            raise InputError(
                f"filters has {entry!r}. Expected {{'Name': ..., 'Values': [...]}}, a dict such "
                "as {'state': ['enabled']}, or Filters."
            )
        name, values = entry["Name"], parse_values(entry["Name"], split_text(entry["Values"]))
        if name not in API_FILTERS:
            raise InputError(
                f"filters has the name {name!r}. DescribeFastLaunchImages knows "
                f"{', '.join(map(repr, API_FILTERS))}.{did_you_mean(str(name), API_FILTERS)}"
            )
        if not values or None in values:
            raise InputError(f"filters has no values for {name!r}. Expected at least one, as text.")
        for state in values if name == "state" else ():
            if state not in API_STATES:
                hint = did_you_mean(str(state), API_STATES)
                warn(f"filters has the state {state!r}, which EC2 is not known to have.{hint}")
        parsed.append({"Name": name, "Values": list(values)})
    return parsed


def parse_values(name: object, values: object) -> tuple[str | None, ...]:
    """Return the values of a facet, or a single one, as a tuple."""
    if values is None or isinstance(values, str):
        values = (values,)
    parsed = tuple(values) if isinstance(values, Iterable) else (values,)
    if not all(value is None or isinstance(value, str) for value in parsed):
        raise InputError(f"The filter {name!r} has {values!r}. Expected text, or a list of text.")
    for value in parsed:
        check_unicode(name, value or "")
    return parsed


def check_unicode(name: object, text: str) -> None:
    """Refuse a lone surrogate, which cannot be sent or compared."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"The filter {name!r} has {text!r}, which is not Unicode text. "
            "Remove the lone surrogate."
        ) from None


# --- DataFrames -----------------------------------------------------------------------


_EXPECTED: Final = {
    "images": "Expected images: a DataFrame from fl.describe, fl.sweep or fl.from_pages.",
    "intervals": "Expected state intervals: a DataFrame from fl.intervals.",
    "coverage": "Expected a coverage, such as sweep(...).coverage.",
    "events": "Expected events: a DataFrame from fl.from_events.",
    "findings": "Expected findings: a DataFrame from fl.findings.",
    "metrics": "Expected metrics: a DataFrame from fl.metrics.",
    "snapshots": "Expected snapshots: a DataFrame from fl.snapshots.",
}


def validate_columns(kind: str, value: object, *columns: str) -> pd.DataFrame:
    """Return any eager frame as a pandas DataFrame with known columns as the schema declares them.

    Refuse all else, and one that lacks `columns` or has columns of other types, as after a round
    trip through CSV. The error names the `kind` of rows, such as "images". Columns that have
    their dtype are not copied.
    """
    return _convert_columns(kind, require_columns(kind, value, *columns))


def _convert_columns(kind: str, rows: pd.DataFrame) -> pd.DataFrame:
    dtypes = TABLE_DTYPES[kind]
    converted = {}
    for name in filter(dtypes.__contains__, map(str, rows)):
        given = rows[name]
        values = convert_column(given, dtypes[name])
        if values is None:
            problem = f"In this one {name} is {given.dtype}, not {dtypes[name]}"
            hint = "CSV files keep no types. fl.load restores them, of a file or a frame."
            raise make_rows_error(kind, f"{problem}; {hint}")
        if values is not given:
            converted[name] = values
    valid = rows.assign(**converted)
    if not set(valid.index.names).isdisjoint(valid):  # pandas would not know which one is meant
        valid.index.names = [None] * valid.index.nlevels
    return valid


def validate_column(kind: str, rows: pd.DataFrame, name: str) -> pd.Series:
    """Return one column as the schema declares it; refuse rows that lack it."""
    require_columns(kind, rows, name)
    return validate_columns(kind, rows[[name]])[name]


def require_columns(kind: str, value: object, *columns: str) -> pd.DataFrame:
    """Return any eager frame as a pandas DataFrame; refuse all else, and lacking columns.

    A pandas DataFrame stays as it is. A frame of another library gets the dtypes of the schema.
    """
    rows = to_pandas_frame(value, _EXPECTED[kind])
    missing = [column for column in columns if column not in rows]
    if missing:
        raise make_rows_error(kind, f"{kind} lacks {', '.join(missing)}.")
    return rows if rows is value else _convert_columns(kind, rows)


def make_rows_error(kind: str, problem: str) -> InputError:
    """Return an error with the expected kind of rows and the problem."""
    return InputError(f"{_EXPECTED[kind]} {problem}")


def convert_column(values: pd.Series, dtype: Any) -> pd.Series | None:
    """Convert values to a dtype of the schema; return None if they are of another kind."""
    if values.dtype == pandas_dtype(dtype):
        return values
    if values.isna().all():
        is_null = dtype == FLAG and len(values)
        return pd.Series(index=values.index, dtype="boolean" if is_null else dtype)
    if dtype == TIME:
        return convert_times(values, str(values.name))
    values = _simplify(values)
    if dtype == TEXT:
        return values.astype(TEXT) if is_text_column(values) else None
    if dtype == FLAG:
        is_flag = _infer(values) == "boolean" or pd.api.types.is_bool_dtype(values)
        return values.astype("boolean" if values.isna().any() else FLAG) if is_flag else None
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if dtype == COUNT:  # which other writers of Parquet turn into floats, if it has nulls
        is_number = is_number and bool((values.dropna() % 1 == 0).all())
    return values.astype(dtype) if is_number else None


def _simplify(values: pd.Series) -> pd.Series:
    """Return categories as their values, and numbers that are objects or decimals as numbers."""
    dtype: Any = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return values.astype(dtype.categories.dtype)
    if isinstance(dtype, pd.ArrowDtype):
        arrow = dtype.pyarrow_dtype
        if pa.types.is_dictionary(arrow):
            return values.astype(pd.ArrowDtype(arrow.value_type))
        if pa.types.is_decimal(arrow) or pa.types.is_floating(arrow):
            return values.astype("Float64")
        return values.astype("Int64") if pa.types.is_integer(arrow) else values  # has no modulo
    if _infer(values) in ("integer", "floating", "decimal", "mixed-integer-float"):
        return pd.Series(pd.to_numeric(values)).convert_dtypes()
    return values


def is_text_column(values: pd.Series) -> bool:
    """Return True if a column has text alone, and nulls."""
    if values.dtype == object:
        return _infer(values) == "string"
    return pd.api.types.is_string_dtype(values)


def _infer(values: pd.Series) -> str:
    """Return the kind of the objects in a column; an empty text for a column of a real dtype."""
    return pd.api.types.infer_dtype(values, skipna=True) if values.dtype == object else ""
