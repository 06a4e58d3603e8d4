"""Validation: every check of arguments and of DataFrames, before anything else happens."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import pandas as pd

from fastlaunch_nb.errors import InputError, did_you_mean, warn
from fastlaunch_nb.schema.columns import (
    API_FILTERS,
    API_STATES,
    COLUMNS,
    COUNT,
    INTERVAL_TIMES,
    NUMBER,
    TEXT,
    TIME,
)
from fastlaunch_nb.schema.joins import JOINED

_IMAGE_ID = re.compile(r"ami-[0-9a-f]{8,17}")
_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_MOST = 2**63 - 1  # that a column of counts can hold
_End = TypeVar("_End", int, pd.Timestamp)


def check_account_id(account_id: str | None) -> None:
    """Refuse what is no account id; None is fine."""
    if account_id is not None and not _matches(_ACCOUNT_ID, account_id):
        raise InputError(f"account_id is {account_id!r}. Expected 12 digits as text.")


def check_region(region: str | None) -> None:
    """Refuse what is no region's name; None is fine."""
    if region is not None and not _matches(_REGION, region):
        raise InputError(f"region is {region!r}. Expected a region's name, such as 'eu-west-1'.")


def check_regions(regions: str | Iterable[str]) -> tuple[str, ...]:
    """Return the regions (one may come alone), each once; refuse what is none, and none at all."""
    if not isinstance(regions, Iterable):
        raise InputError(f"regions is {regions!r}. Expected names such as 'eu-west-1'.")
    named = (regions,) if isinstance(regions, str) else tuple(dict.fromkeys(regions))
    if not named:
        raise InputError(
            "regions is empty. Expected names such as 'eu-west-1', or None for all of them."
        )
    for region in named:
        if region is None:
            raise InputError("regions has None. Expected names such as 'eu-west-1'.")
        check_region(region)
    return named


def check_image_ids(image_ids: str | Iterable[str]) -> list[str]:
    """Return the ids as a list (one may come alone); refuse malformed ones and none at all."""
    if not isinstance(image_ids, Iterable):
        raise InputError(f"image_ids is {image_ids!r}. Expected ids such as 'ami-…', as a list.")
    ids = [image_ids] if isinstance(image_ids, str) else list(image_ids)
    if not ids:
        raise InputError(
            "image_ids is empty, which EC2 would read as: all images. "
            "Leave it out, or pass None, to read all of them."
        )
    for image_id in ids:
        if not _matches(_IMAGE_ID, image_id):
            raise InputError(
                f"image_ids has {image_id!r}. "
                "Expected 'ami-' and 8 to 17 hexadecimal digits in lower case."
            )
    return ids


def parse_time(name: str, value: datetime | str) -> pd.Timestamp:
    """Return a time in UTC, which is meant where it names no zone; refuse what is none."""
    found: object = None
    if isinstance(value, datetime | str):
        with suppress(ValueError):
            found = pd.to_datetime(value, utc=True)
    if not isinstance(found, pd.Timestamp):  # NaT is none
        raise InputError(
            f"{name} is {value!r}. Expected a datetime, or text such as '2026-01-15T12:00:00Z'."
        )
    return found.as_unit("us")


def parse_duration(
    name: str, value: object, example: str, least: pd.Timedelta
) -> pd.Timedelta | None:
    """Return a span of time, at least so long; None is fine; refuse what is no duration."""
    if value is None:
        return None
    if isinstance(value, str | timedelta):  # a bare number would be nanoseconds
        with suppress(ValueError):
            found = pd.Timedelta(value)
            if found >= least:
                return found
    raise InputError(f"{name} is {value!r}. Expected a duration such as {example!r}, or None.")


def parse_count(name: str, value: object) -> int:
    """Return a count as an int; refuse what is none."""
    if not isinstance(value, bool):  # which Python takes for 0 or 1
        with suppress(TypeError):
            found = operator.index(value)  # type: ignore[arg-type]
            if 0 <= found <= _MOST:
                return found
    raise InputError(f"{name} is {value!r}. Expected a whole number of 0 or more.")


def parse_range(
    name: str, value: object, end: Callable[[str, Any], _End]
) -> tuple[_End | None, _End | None] | None:
    """Return a range as a pair, of ends as `end` reads them; None where neither end is given.

    Examples
    --------
    >>> parse_range("target_resource_count", [1, None], parse_count)
    (1, None)
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != 2:
        raise InputError(
            f"{name} is {value!r}. Expected a pair, (low, high), in which None is an open end."
        )
    low, high = (None if given is None else end(name, given) for given in value)
    if low is None and high is None:
        return None
    if low is not None and high is not None and low > high:
        raise InputError(f"{name} is {value!r}. Expected low before high: swap them.")
    return low, high


def check_workers(max_workers: object) -> int:
    """Return how many may be at work at once; refuse what is no such number."""
    if not isinstance(max_workers, int) or isinstance(max_workers, bool) or max_workers < 1:
        raise InputError(f"max_workers is {max_workers!r}. Expected a whole number of 1 or more.")
    return max_workers


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def parse_api_filters(filters: Any) -> list[dict[str, Any]]:
    """Return filters, a dict or boto3's list of dicts, in boto3's form.

    Refuses unknown names and missing values; warns of an unknown state, as AWS may add some.

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
    checked = []
    for entry in filters:
        if not isinstance(entry, Mapping) or entry.keys() != {"Name", "Values"}:
            raise InputError(
                f"filters has {entry!r}. Expected {{'Name': ..., 'Values': [...]}}, a dict such "
                "as {'state': ['enabled']}, or Filters."
            )
        name, values = entry["Name"], parse_values(entry["Name"], entry["Values"])
        if name not in API_FILTERS:
            raise InputError(
                f"filters has the name {name!r}. DescribeFastLaunchImages knows "
                f"{', '.join(map(repr, API_FILTERS))}.{did_you_mean(str(name), API_FILTERS)}"
            )
        if not values or None in values:
            raise InputError(f"filters has no values for {name!r}. Expected at least one, as text.")
        if name == "state":
            _warn_of_unknown_states(values)
        checked.append({"Name": name, "Values": list(values)})
    return checked


def _warn_of_unknown_states(states: Iterable[str | None]) -> None:
    for state in states:
        if state not in API_STATES:
            warn(
                f"filters has the state {state!r}, which EC2 is not known to have."
                f"{did_you_mean(str(state), API_STATES)}"
            )


def parse_values(name: object, values: object) -> tuple[str | None, ...]:
    """Return a facet's values as a tuple; one value may come alone."""
    if values is None or isinstance(values, str):
        values = (values,)
    found = tuple(values) if isinstance(values, Iterable) else (values,)
    if not all(value is None or isinstance(value, str) for value in found):
        raise InputError(f"The filter {name!r} has {values!r}. Expected text, or a list of text.")
    for value in found:
        check_unicode(name, value or "")
    return found


def check_unicode(name: object, text: str) -> None:
    """Refuse half a pair of surrogates, which can be neither sent nor compared."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"The filter {name!r} has {text!r}, which is no Unicode text.") from None


# --- DataFrames -----------------------------------------------------------------------


_EXPECTED: Final = {
    "images": "Expected images: a DataFrame as describe, sweep and from_pages return it.",
    "intervals": "Expected state intervals: a DataFrame as fl.intervals returns it.",
    "coverage": "Expected a coverage, such as sweep(...).coverage.",
    "events": "Expected events: a DataFrame as fl.from_events returns it.",
    "findings": "Expected findings: a DataFrame as fl.findings returns it.",
    "metrics": "Expected metrics: a DataFrame as fl.metrics returns it.",
    "snapshots": "Expected snapshots: a DataFrame as fl.snapshots returns it.",
}


def validate_columns(kind: str, given: object, *columns: str) -> pd.DataFrame:
    """Return a DataFrame of some kind with these columns, and each column that we know as declared.

    Parameters
    ----------
    kind : str
        What it is of: "images", "intervals", "coverage", "events", "findings", "metrics"
        or "snapshots".
    given : object
        What a caller passed.
    *columns : str
        The columns that must be there.

    Raises
    ------
    InputError
        If it is no DataFrame, lacks columns, or holds something else in them, as after a
        round trip through CSV.
    """
    rows = require_columns(kind, given, *columns)
    declared = {**{column.name: column.dtype for column in COLUMNS}, **INTERVAL_TIMES, **JOINED}
    fitting = {}
    for name in declared.keys() & set(rows):
        fitting[name] = _as_dtype(rows[name], declared[name])
        if fitting[name] is None:
            raise rows_error(
                kind,
                f"In this one {name} is {rows[name].dtype}, not {declared[name]}; "
                "a file of CSV keeps no types.",
            )
    fit = rows.assign(**fitting)
    fit.index.names = [None] * fit.index.nlevels  # an index may bear the name of a column
    return fit


def require_columns(kind: str, given: object, *columns: str) -> pd.DataFrame:
    """Return a DataFrame of some kind as it is; refuse all else, and one without these columns."""
    if not isinstance(given, pd.DataFrame):
        raise rows_error(kind, f"Got a {type(given).__name__}.")
    missing = [column for column in columns if column not in given]
    if missing:
        raise rows_error(kind, f"{kind} lacks {', '.join(missing)}.")
    return given


def rows_error(kind: str, why: str) -> InputError:
    """Return the error that says which rows were expected, and what came."""
    return InputError(f"{_EXPECTED[kind]} {why}")


def _as_dtype(values: pd.Series, dtype: Any) -> pd.Series | None:
    """Return values as this dtype; None where they are of another kind."""
    if values.isna().all():
        return pd.Series(pd.array([None] * len(values), dtype=dtype), index=values.index)
    if dtype == TIME:
        aware = isinstance(values.dtype, pd.DatetimeTZDtype)
        return values.dt.tz_convert("UTC").dt.as_unit("us") if aware else None
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if dtype == COUNT:
        # Other writers of Parquet make a count with nulls a float.
        whole = number and bool((values.dropna() % 1 == 0).all())
        return values.astype(COUNT) if whole else None
    if dtype == NUMBER:
        return values.astype(NUMBER) if number else None
    text = pd.api.types.is_string_dtype(values) or values.dtype == object
    return values.astype(TEXT) if text else None
