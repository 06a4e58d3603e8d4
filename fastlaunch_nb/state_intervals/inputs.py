"""What is handed in: refused where it is no such thing, else in one shape for every engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple, TypeAlias

import narwhals.stable.v2 as nw
import pandas as pd

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.schema.columns import (
    COMPLETE,
    FAILED,
    INTERRUPTED,
    INTERVAL_TIMES,
    KEY,
    NOT_OPTED_IN,
    PARTIAL,
    TEXT,
    TIME,
)
from fastlaunch_nb.validation import parse_duration

Frame: TypeAlias = "nw.LazyFrame[Any]"

NULL_SENTINEL: Final = "\ue000"
"""What stands for a null in a text, because a null joins nothing; no text of AWS's has it."""
UNKNOWN, ABSENT, DISABLED = "unknown", "absent", "disabled"
SECOND: Final = timedelta(seconds=1)
AHEAD: Final = timedelta(seconds=5)
"""How far ahead of its own time a scan may see a transition: clocks differ."""
PLACE: Final = KEY[:2]

UTC = nw.Datetime("us", "UTC")
assert TIME == "datetime64[us, UTC]"  # noqa: S101  the same type, in the words of two libraries
_TEXTS = (nw.String, nw.Categorical, nw.Enum)
_OBSERVED = {
    **dict.fromkeys((*KEY, "state", "state_transition_reason"), "text"),
    **dict.fromkeys(("observed_at", "state_transition_time"), "time"),
}
_COVERED = {**dict.fromkeys((*PLACE, "scope", "status"), "text"), "observed_at": "time"}
_ENGINES = ("pandas", "polars", "duckdb", "pyspark", "pyspark_connect")


class Inputs(NamedTuple):
    """What there is to reckon with.

    Attributes
    ----------
    facts : LazyFrame
        A row an observation: KEY, state, reason; `second`, the scan's own time; `since`,
        the transition, where it can be; `at`, the instant at which the scan counts as
        made for that image, and `seen`, the second of it.
    looks : LazyFrame
        A row a look at a place: PLACE, `at`, and `complete` and `failed`, that time
        again where it was such a look; in whole seconds.
    max_gap : tuple of timedelta
        How long a silence may last, in what is to be added one by one; empty: for ever.
    """

    facts: Frame
    looks: Frame
    max_gap: tuple[timedelta, ...]


def prepare_inputs(observations: Any, coverage: Any, max_gap: Any) -> Inputs:
    """Check what is handed in, before anything is computed, and put it into shape."""
    gap = parse_max_gap(max_gap)
    seen = _checked("observations", observations, _OBSERVED)
    if coverage is None:
        covered = seen.head(0).with_columns(scope=nw.lit(""), status=nw.lit(""))
    else:
        covered = _checked("coverage", coverage, _COVERED)
        if covered.implementation != seen.implementation:
            raise InputError(
                f"observations are of {seen.implementation}, coverage is of "
                f"{covered.implementation}. Expected two frames of one kind."
            )
    steps = _steps(gap, seen.collect_schema()["observed_at"])
    return Inputs(_facts(seen), _looks(covered), steps)


def add_durations(moment: nw.Expr, *spans: timedelta) -> nw.Expr:
    """Return the moments that come so much later."""
    for span in spans:
        moment = moment.dt.offset_by(f"{span // timedelta(microseconds=1)}us")
    return moment


def to_native_like(native: Any, result: Frame) -> Any:
    """Return a result as a frame of the kind that was handed in."""
    if isinstance(nw.from_native(native), nw.LazyFrame):
        return result.to_native()
    table: Any = result.collect().to_native()
    if isinstance(table, pd.DataFrame):
        kinds = {name: TIME if name in INTERVAL_TIMES else TEXT for name in table}
        return table.astype({**kinds, "start_exact": "bool"}).reset_index(drop=True)
    return table


def _steps(span: timedelta | None, zone: nw.dtypes.DType) -> tuple[timedelta, ...]:
    """Return what to add for a span; less than a day at a time outside UTC.

    There engines add days by the calendar, and those are not all as long.
    """
    if span is None:
        return ()
    most = span if zone == UTC else timedelta(hours=20)
    return (*[most] * (span // most), *[span % most] * bool(span % most))


def own_time() -> nw.Expr:
    """Return when a scan was made, as it knows it: by the second, rounded down."""
    return nw.col("observed_at").dt.truncate("1s")


def transition() -> nw.Expr:
    """Return the transition that a scan saw; null where it is more than AHEAD of the scan."""
    since = nw.col("state_transition_time")
    return nw.when(since <= add_durations(own_time(), AHEAD)).then(since)


def instant() -> nw.Expr:
    """Return when a scan counts as made, for an image: at the transition, if it saw that ahead."""
    return nw.max_horizontal(own_time(), transition())


def made_at(images: pd.DataFrame) -> pd.Series:
    """Return the instant at which the scan of each image counts as made."""
    seen: Any = nw.from_native(images)
    made: pd.Series = seen.select(at=instant())["at"].to_native()
    return made


def _facts(seen: Frame) -> Frame:
    return seen.filter(~nw.col("observed_at").is_null()).select(
        *(nw.col(name).fill_null(NULL_SENTINEL) for name in KEY),
        state=nw.col("state").fill_null(UNKNOWN),
        reason=nw.col("state_transition_reason").fill_null(NULL_SENTINEL),
        second=own_time(),
        since=transition(),
        at=instant(),
        seen=instant().dt.truncate("1s"),
    )


def _looks(covered: Frame) -> Frame:
    asked = ["asked_at"] if "asked_at" in covered.collect_schema() else []
    looks = covered.with_columns(at=nw.coalesce("observed_at", *asked).dt.truncate("1s"))

    def of(*statuses: str) -> nw.Expr:
        everything = nw.col("scope").fill_null("") == ""
        return nw.when(everything & nw.col("status").is_in(statuses)).then("at")

    return looks.filter(~nw.col("at").is_null()).select(
        *(nw.col(name).fill_null(NULL_SENTINEL) for name in PLACE),
        "at",
        complete=of(COMPLETE, NOT_OPTED_IN),
        failed=of(FAILED, PARTIAL, INTERRUPTED),
    )


# --- refusals -------------------------------------------------------------------------


def _checked(what: str, native: Any, expected: dict[str, str]) -> Frame:
    """Return a frame that has these columns, of these kinds, and may have `asked_at`."""
    known = "Expected a frame of pandas, Polars, DuckDB or PySpark."
    try:
        frame = nw.from_native(native).lazy()
    except TypeError:
        raise InputError(f"{what} is a {type(native).__name__}. {known}") from None
    if frame.implementation.value not in _ENGINES:
        raise InputError(f"{what} is a frame of {frame.implementation}. {known}")
    schema = frame.collect_schema()
    missing = [name for name in expected if name not in schema]
    if missing:
        hint = did_you_mean(missing[0], set(schema) - set(expected))
        raise InputError(f"{what} has no column {', '.join(missing)}.{hint}")
    if what == "coverage" and "asked_at" in schema:
        expected = {**expected, "asked_at": "time"}
    whole: Any = nw.from_native(native)
    fitted = [_fitted(what, whole, name, kind) for name, kind in expected.items()]
    chosen: Frame = frame.select(*fitted)
    return chosen


def _fitted(what: str, frame: Any, name: str, kind: str) -> nw.Expr:
    """Return a column as text or as time in UTC; refuse what is neither."""
    column, dtype = nw.col(name), frame.collect_schema()[name]
    if kind == "text" and isinstance(dtype, _TEXTS):
        return column if dtype == nw.String else column.cast(nw.String)
    if kind == "time" and isinstance(dtype, nw.Datetime) and dtype.time_zone:
        if dtype == UTC or not frame.implementation.value.startswith(("pandas", "polars")):
            return column  # elsewhere the zone is the connection's, and the unit this one
        return column.dt.convert_time_zone("UTC").cast(UTC)
    if isinstance(frame, nw.DataFrame) and frame[name].is_null().all():
        return nw.lit(None, nw.String() if kind == "text" else UTC).alias(name)
    raise InputError(
        f"In {what}, {name} is {dtype}. Expected {kind}"
        f"{' with a time zone' if kind == 'time' else ''}; a file of CSV keeps no types."
    )


def parse_max_gap(value: Any) -> timedelta | None:
    """Return how long a silence may last; refuse what is no duration."""
    gap = parse_duration("max_gap", value, "1h", least=pd.Timedelta(1, "us"))
    return None if gap is None else gap.to_pytimedelta()
