"""Inputs of the interval pipeline: checked, and in one shape for every engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeAlias

import narwhals.stable.v2 as nw
import pandas as pd

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.frames import AnyFrame, make_naive_error, open_frame, to_pandas_frame
from fastlaunch_nb.schema.columns import (
    ACCOUNT_REGION,
    COMPLETE,
    FAILURES,
    KEY,
    NOT_OPTED_IN,
    TEXT,
    TIME,
    UNKNOWN,
)
from fastlaunch_nb.validation import convert_column, parse_duration

Frame: TypeAlias = "nw.LazyFrame[Any]"

NULL_SENTINEL: Final = "\ue000"
"""Text that replaces nulls in keys, because nulls never join. AWS never sends it."""
SECOND: Final = timedelta(seconds=1)
MAX_AHEAD: Final = timedelta(seconds=5)
"""How far after its own time a scan may see a transition, because clocks differ."""

UTC = nw.Datetime("us", "UTC")
assert TIME == "datetime64[us, UTC]"  # noqa: S101  pandas' name of the dtype above
_TEXT_DTYPES = (nw.String, nw.Categorical, nw.Enum)
_OBSERVATION_COLUMNS = {
    **dict.fromkeys((*KEY, "state", "state_transition_reason"), "text"),
    **dict.fromkeys(("observed_at", "state_transition_time"), "time"),
}
_COVERAGE_COLUMNS = {
    **dict.fromkeys((*ACCOUNT_REGION, "scope", "status"), "text"),
    "observed_at": "time",
}
_ENGINES = ("polars", "duckdb", "pyspark", "pyspark_connect")


class Inputs(NamedTuple):
    """Observations and scans in one shape, and the longest gap between scans.

    Each row of `observations` has KEY, `state`, `reason`; `scanned`, the scan's own time in
    whole seconds; `transition`, null where it cannot be right; `instant`, the time from which
    the observation counts for its image, and `instant_second`, its second. Each row of `scans`
    has ACCOUNT_REGION and `time`, in whole seconds; `complete`, `failed` and `opted_out` repeat
    `time` where the scan ended so, and are null elsewhere; where the region was not opted in,
    it failed too. `gap` has steps to add one after the other, and is empty if there is no limit.
    """

    observations: Frame
    scans: Frame
    gap: tuple[timedelta, ...]


def prepare_inputs(observations: Any, coverage: Any, max_gap: Any) -> Inputs:
    """Check the arguments before anything is computed, and bring them into shape."""
    gap = parse_max_gap(max_gap)
    observed = _select_columns("observations", observations, _OBSERVATION_COLUMNS)
    if coverage is None:
        covered = observed.head(0).with_columns(scope=nw.lit(""), status=nw.lit(""))
    else:
        covered = _select_columns("coverage", coverage, _COVERAGE_COLUMNS, asked_at="time")
        if covered.implementation != observed.implementation:
            raise InputError(
                f"observations is a frame of {observed.implementation}, coverage is a frame of "
                f"{covered.implementation}. Expected two frames of one library."
            )
    return Inputs(_shape_observations(observed), _shape_scans(covered), _split_gap(gap, observed))


# --- checks ---------------------------------------------------------------------------


def parse_max_gap(value: Any) -> timedelta | None:
    """Return the longest gap, at least a microsecond, or None for no limit; refuse other values."""
    gap = parse_duration("max_gap", value, "1h", least=pd.Timedelta(1, "us"))
    return None if gap is None else gap.to_pytimedelta()


def _open_for_engine(name: str, native: Any, columns: dict[str, str]) -> AnyFrame:
    """Return a frame in narwhals: of pandas with the dtypes of the schema, or of an engine.

    Other libraries cannot compute intervals: of their frames, pandas has the rows.
    """
    expected = "Expected a DataFrame of pandas, Polars, DuckDB, PySpark or pyarrow."
    frame = open_frame(native)
    if frame is None:
        raise InputError(f"{name} is a {type(native).__name__}. {expected}")
    if isinstance(frame, nw.DataFrame) and not frame.implementation.is_polars():
        rows = to_pandas_frame(native, expected)
        dtypes = {column: TIME if kind == "time" else TEXT for column, kind in columns.items()}
        known = {it: convert_column(rows[it], dtypes[it]) for it in dtypes if it in rows}
        converted = {it: values for it, values in known.items() if values is not None}
        plain: Any = rows.assign(**converted)
        opened: AnyFrame = nw.from_native(plain)
        return opened
    if frame.implementation.value not in _ENGINES:
        raise InputError(f"{name} is a frame of {frame.implementation}. {expected}")
    return frame


def _select_columns(name: str, native: Any, columns: dict[str, str], **optional: str) -> Frame:
    """Return a frame with these columns, as text or time, and with the optional ones it has."""
    frame: Any = _open_for_engine(name, native, columns | optional)
    schema = frame.collect_schema()
    missing = [column for column in columns if column not in schema]
    if missing:
        hint = did_you_mean(missing[0], set(schema) - set(columns))
        raise InputError(f"{name} has no column {', '.join(missing)}.{hint}")
    kinds = columns | {column: kind for column, kind in optional.items() if column in schema}
    converted = (_convert_column(name, frame, column, kind) for column, kind in kinds.items())
    selected: Frame = frame.lazy().select(*converted)
    return selected


def _convert_column(name: str, frame: Any, column: str, kind: str) -> nw.Expr:
    """Return a column as text or as time in UTC."""
    values, dtype = nw.col(column), frame.collect_schema()[column]
    if kind == "text" and isinstance(dtype, _TEXT_DTYPES):
        return values if dtype == nw.String else values.cast(nw.String)
    if kind == "time" and isinstance(dtype, nw.Datetime) and not dtype.time_zone:
        if isinstance(frame, nw.LazyFrame) or not frame[column].is_null().all():
            raise make_naive_error(column, None, dtype)
    elif kind == "time" and isinstance(dtype, nw.Datetime):
        if dtype == UTC or not frame.implementation.value.startswith(("pandas", "polars")):
            return values  # SQL engines have one unit, and show times in the session's zone
        return values.dt.convert_time_zone("UTC").cast(UTC)
    if isinstance(frame, nw.DataFrame) and frame[column].is_null().all():
        return nw.lit(None, nw.String() if kind == "text" else UTC).alias(column)
    raise InputError(
        f"In {name}, {column} is {dtype}. Expected "
        f"{'times with a time zone' if kind == 'time' else 'text'}: convert the column first, "
        "as CSV files keep no types."
    )


def _split_gap(gap: timedelta | None, observed: Frame) -> tuple[timedelta, ...]:
    """Split a gap into steps of less than a day, unless times are in UTC.

    In other time zones engines add days by the calendar, and not every day has 24 hours.
    """
    if gap is None:
        return ()
    is_utc = observed.collect_schema()["observed_at"] == UTC
    step = gap if is_utc else timedelta(hours=20)
    return (*[step] * (gap // step), *[gap % step] * bool(gap % step))


# --- observations ---------------------------------------------------------------------


def _shape_observations(observed: Frame) -> Frame:
    return observed.filter(~nw.col("observed_at").is_null()).select(
        *(nw.col(name).fill_null(NULL_SENTINEL) for name in KEY),
        state=nw.col("state").fill_null(UNKNOWN),
        reason=nw.col("state_transition_reason").fill_null(NULL_SENTINEL),
        scanned=scan_time(),
        transition=transition(),
        instant=instant(),
        instant_second=instant().dt.truncate("1s"),
    )


def scan_time() -> nw.Expr:
    """Return the scan's own time in whole seconds, rounded down."""
    return nw.col("observed_at").dt.truncate("1s")


def transition() -> nw.Expr:
    """Return the transition that a scan saw; null if it is more than MAX_AHEAD after the scan."""
    time = nw.col("state_transition_time")
    return nw.when(time <= add_durations(scan_time(), MAX_AHEAD)).then(time)


def instant() -> nw.Expr:
    """Return the time from which an observation counts: the later of scan and transition."""
    return nw.max_horizontal(scan_time(), transition())


def add_durations(time: nw.Expr, *durations: timedelta) -> nw.Expr:
    """Add durations to a time, one after the other."""
    for duration in durations:
        time = time.dt.offset_by(f"{duration // timedelta(microseconds=1)}us")
    return time


def compute_instants(images: pd.DataFrame) -> pd.Series:
    """Return the time from which each image's row counts."""
    frame: Any = nw.from_native(images)
    instants: pd.Series = frame.select(instant=instant())["instant"].to_native()
    return instants


# --- scans ----------------------------------------------------------------------------


def _shape_scans(covered: Frame) -> Frame:
    times = [name for name in ("observed_at", "asked_at") if name in covered.collect_schema()]
    scans = covered.with_columns(time=nw.coalesce(*times).dt.truncate("1s"))

    status, is_unfiltered = nw.col("status"), nw.col("scope").fill_null("") == ""
    is_opted_out = status == NOT_OPTED_IN  # whatever the filters
    return scans.filter(~nw.col("time").is_null()).select(
        *(nw.col(name).fill_null(NULL_SENTINEL) for name in ACCOUNT_REGION),
        "time",
        complete=nw.when(is_unfiltered & (status == COMPLETE)).then("time"),
        failed=nw.when(is_opted_out | (is_unfiltered & status.is_in(FAILURES))).then("time"),
        opted_out=nw.when(is_opted_out).then("time"),
    )
