"""The fill time, in which a preparation instance makes one snapshot: assumed or measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from narwhals.stable.v2.typing import IntoDataFrame

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frames import convert_times, is_frame, to_pandas_frame
from fastlaunch_nb.number_checks import parse_number

PREPARATION_LIMIT: Final = 1800.0
"""Seconds that EC2 gives a preparation instance before it ends all of them and the image fails.

Source: EC2 User Guide, "Troubleshoot EC2 Fast Launch". It is a limit, not a duration.
"""
DEFAULT_FILL_TIME: Final = 600.0
"""Seconds to assume for a preparation instance where nothing was measured.

AWS says "several minutes" (EC2 User Guide, "Manage costs for EC2 Fast Launch"). Reports measured
about 4 minutes (sloper-ai/cucina) and 482 seconds (packer-plugin-amazon 445).
"""
FILL_TIME_RANGE: Final = (240.0, PREPARATION_LIMIT)
"""The shortest and the longest seconds to expect: the fastest report, and EC2's limit."""
MAX_SECONDS: Final = 7 * 86_400
"""The longest fill time that a user may give, in seconds."""

_SHORTEST: Final = 30.0  # seconds: no Windows instance boots, runs Sysprep and stops sooner
_LONGEST_PERIOD: Final = 600.0  # seconds: the stock of longer periods shows no single refill
_TIMES = ("time", "snapshot_time", "start")
_KEY = ("account_id", "region", "image_id")
_EXPECTED = "Expected seconds, a frame of fl.metrics, or a result of fl.measure_fill_time."


class FillTime(NamedTuple):
    """The seconds that a preparation instance takes, how sure that is, and how it was found.

    Attributes
    ----------
    seconds : float
        The most likely fill time.
    low, high : float
        The range in which it lies; equal to `seconds` if a user gave it.
    source : str
        How it was found, in words.
    """

    seconds: float
    low: float
    high: float
    source: str


ASSUMED: Final = FillTime(DEFAULT_FILL_TIME, *FILL_TIME_RANGE, "assumed, not measured")
"""The fill time where nothing was measured."""


def measure_fill_time(
    metrics: IntoDataFrame | None = None,
    *,
    snapshots: IntoDataFrame | None = None,
    intervals: IntoDataFrame | None = None,
) -> FillTime:
    """Measure how long a preparation instance takes to make one snapshot.

    The first of these ways that gives a result:

    1. CloudWatch's FastLaunchSnapshotCreationTime. AWS documents neither its meaning nor its
       unit. This function assumes seconds for one snapshot, and ignores values below 30 seconds
       or above EC2's limit of 30 minutes, which would be something else. The shortest
       FastLaunchSnapshotUsedToRefillStartTime in that range, if any, is added: the delay before a
       preparation that need not wait for another.
    2. CloudWatch's stock, in periods of at most 10 minutes: the time from a fall of a full stock
       to its next rise. It is as exact as the period is short.
    3. Snapshots: the time from the start of an exact ``enabling`` interval to the StartTime of
       the first snapshot after it. The snapshot itself takes a little longer.

    Parameters
    ----------
    metrics : DataFrame, optional
        A result of :func:`fastlaunch_nb.metrics`, best with ``period="5 min"``.
    snapshots : DataFrame, optional
        A result of :func:`fastlaunch_nb.snapshots`. It needs `intervals`.
    intervals : DataFrame, optional
        State intervals, which have the times of enabling.

    Returns
    -------
    FillTime
        `seconds`, the range from `low` to `high`, and its `source`. If nothing can be measured:
        10 minutes, with the range from 4 to 30 minutes.

    Raises
    ------
    InputError
        If a frame lacks the columns to measure from, or `snapshots` come without `intervals`.

    Examples
    --------
    >>> times = pd.to_datetime(["2026-01-05T08:00Z", "2026-01-05T08:05Z"])
    >>> metrics = pd.DataFrame({"time": times, "period": 300,
    ...                         "snapshot_creation_time": [420.0, 480.0]})
    >>> measure_fill_time(metrics).seconds
    450.0
    >>> measure_fill_time()
    FillTime(seconds=600.0, low=240.0, high=1800.0, source='assumed, not measured')
    """
    measured = None
    if metrics is not None:
        rows = _prepare_frame("metrics", metrics, ("time", "period"))
        measured = _measure_creation(rows) or _measure_stock(rows)
    if measured is None and snapshots is not None:
        measured = _measure_first_snapshots(snapshots, intervals)
    return measured or ASSUMED


def parse_fill_time(fill_time: Any) -> FillTime:
    """Return a fill time from seconds, metrics, a measured one, or None for the assumed one."""
    if fill_time is None:
        return ASSUMED
    if is_frame(fill_time):
        return measure_fill_time(fill_time)
    if isinstance(fill_time, FillTime):
        low, seconds, high = (
            parse_number(
                f"fill_time.{name}", value, "seconds above 0, up to a week", most=MAX_SECONDS
            )
            for name, value in (
                ("low", fill_time.low),
                ("seconds", fill_time.seconds),
                ("high", fill_time.high),
            )
        )
        if not low <= seconds <= high:
            raise InputError(f"fill_time is {fill_time!r}. Expected low <= seconds <= high.")
        return fill_time._replace(low=low, seconds=seconds, high=high)
    seconds = parse_number(
        "fill_time", fill_time, "seconds above 0, up to a week", most=MAX_SECONDS
    )
    return FillTime(seconds, seconds, seconds, "given")


# --- CloudWatch -----------------------------------------------------------------------


def _measure_creation(metrics: pd.DataFrame) -> FillTime | None:
    """Measure by the time that CloudWatch says a snapshot took."""
    seconds = _read_numbers(metrics, "snapshot_creation_time")
    usable = seconds[(seconds >= _SHORTEST) & (seconds <= PREPARATION_LIMIT)]
    if not len(usable):
        return None
    delays = _read_numbers(metrics, "refill_start_time")
    usable += min(delays[(delays >= 0) & (delays <= PREPARATION_LIMIT)], default=0.0)
    low, middle, high = np.quantile(usable, (0.1, 0.5, 0.9)).tolist()
    source = f"measured: CloudWatch's creation times in {len(usable):,} periods"
    return FillTime(middle, low, high, source)


def _measure_stock(metrics: pd.DataFrame) -> FillTime | None:
    """Measure by the time between a fall of a full stock and its next rise."""
    if "available_snapshots" not in metrics:
        return None
    rows = metrics[metrics["available_snapshots"].notna() & metrics["period"].le(_LONGEST_PERIOD)]
    keys = [name for name in _KEY if name in rows]
    series = [image for _, image in rows.groupby(keys, dropna=False)] if keys else [rows]
    refills = [seconds for image in series for seconds in _find_refills(image)]
    middle = float(np.mean(refills)) if refills else 0.0
    if not _SHORTEST <= middle <= PREPARATION_LIMIT:
        return None
    period = float(rows["period"].max())
    low, high = max(middle - period, _SHORTEST), min(middle + period, PREPARATION_LIMIT)
    count = f"{len(refills):,} refill" + "s" * (len(refills) != 1)
    return FillTime(middle, low, high, f"measured: {count} of CloudWatch's stock")


def _find_refills(metrics: pd.DataFrame) -> Iterator[float]:
    """Yield the seconds of refills of one image: each from a full stock to its next rise.

    A value is the minimum of its period. So the fall is somewhere in the period that shows it, and
    the rise in the period before the one that shows it: on average, a period less apart.
    """
    metrics = metrics.sort_values("time")
    times = pd.DatetimeIndex(metrics["time"]).as_unit("s").asi8
    stock = metrics["available_snapshots"].to_numpy(dtype=np.int64)
    steps, periods = np.diff(stock), metrics["period"].to_numpy(dtype=np.int64)
    is_gap = np.diff(times) != periods[:-1]
    rises, gaps = np.flatnonzero(steps > 0) + 1, np.flatnonzero(is_gap) + 1
    for fall in (np.flatnonzero((steps < 0) & (stock[:-1] == max(stock, default=0))) + 1).tolist():
        rise, gap = (_find_next(places, fall + 1, len(times)) for places in (rises, gaps))
        seconds = float(times[rise] - times[fall] - periods[fall]) if rise < len(times) else -1
        if rise < gap and not is_gap[fall - 1] and 0 <= seconds <= PREPARATION_LIMIT:
            yield seconds


def _find_next(places: Sequence[int] | Any, start: int, default: int) -> int:
    """Return the first of rising places at or after a start."""
    index = int(np.searchsorted(places, start))
    return int(places[index]) if index < len(places) else default


# --- snapshots ------------------------------------------------------------------------


def _measure_first_snapshots(
    snapshots: IntoDataFrame, intervals: IntoDataFrame | None
) -> FillTime | None:
    """Measure by the time from enabling to the start of the first snapshot."""
    if intervals is None:
        raise InputError(
            "snapshots come without intervals, which have the times of enabling. Expected both."
        )
    listed = _prepare_frame("snapshots", snapshots, (*_KEY, "snapshot_time"))
    states = _prepare_frame("intervals", intervals, (*_KEY, "state", "start", "start_exact"))
    is_exact = states["start_exact"].astype("boolean").fillna(value=False)
    enabling = states[states["state"].eq("enabling") & is_exact]
    started = listed[[*_KEY, "snapshot_time"]].dropna().sort_values("snapshot_time")
    pairs = pd.merge_asof(
        enabling[[*_KEY, "start"]].dropna().sort_values("start"),
        started,
        left_on="start",
        right_on="snapshot_time",
        by=list(_KEY),
        direction="forward",
    )
    seconds = (pairs["snapshot_time"] - pairs["start"]).dt.total_seconds().to_numpy(dtype=float)
    usable = seconds[(seconds >= _SHORTEST) & (seconds <= PREPARATION_LIMIT)]
    if not len(usable):
        return None
    low, middle, high = np.quantile(usable, (0.1, 0.5, 0.9)).tolist()
    source = f"measured: from enabling to the first snapshot, {len(usable):,} times"
    return FillTime(middle, low, high, source)


# --- columns --------------------------------------------------------------------------


def _prepare_frame(name: str, frame: object, columns: Sequence[str]) -> pd.DataFrame:
    """Return any eager frame with these columns for pandas, its keys as text, its times in UTC."""
    rows = to_pandas_frame(frame, f"{name} is no DataFrame. {_EXPECTED}")
    if missing := [column for column in columns if column not in rows]:
        raise InputError(f"{name} lacks the columns {', '.join(missing)}. {_EXPECTED}")
    texts = {column: rows[column].astype("string") for column in _KEY if column in rows}
    times = {column: convert_times(rows[column], column) for column in _TIMES if column in rows}
    if wrong := [column for column, values in times.items() if values is None]:
        dtype = rows[wrong[0]].dtype
        raise InputError(f"In {name}, {wrong[0]} is {dtype}, and not a time. {_EXPECTED}")
    return rows.assign(**texts, **times)


def _read_numbers(frame: pd.DataFrame, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the known values of a column that may be missing, as floats."""
    if column not in frame:
        return np.array([], dtype=float)
    return frame[column].dropna().to_numpy(dtype=float)
