"""Launches that a user passes: a pattern, datetimes, or a frame of `fl.launches`, as one form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.frames import convert_times, is_frame, to_pandas_frame
from fastlaunch_nb.pool.launch_pattern import (
    EXPECTED,
    IntArray,
    check_launch_count,
    generate_launches,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_READINGS = 8
_EXPECTED_FRAME = "Expected a result of fl.launches"
_POOL = ("account_id", "region", "image_id")


class Launches(NamedTuple):
    """Launches in microseconds since 1970, in rising order.

    `ends` has the end of the period in which each came, if only the period is known. Real
    launches are a sample. The launches of a pattern are not, but may be random.
    """

    times: IntArray
    ends: IntArray | None = None
    is_sample: bool = True
    is_random: bool = True
    days: int | None = None  # that a pattern covers


def parse_launches(
    launches: Any, days: int, *, seed: int = 0, zone: tzinfo | None = None
) -> Launches:
    """Return launches from a pattern, datetimes, or a frame of ``fl.launches``.

    Examples
    --------
    >>> launches = parse_launches("2 at 08:00 on weekends", days=7)
    >>> launches.times.astype("datetime64[us]").astype("datetime64[D]").astype(str).tolist()
    ['2026-01-10', '2026-01-10', '2026-01-11', '2026-01-11']
    """
    if isinstance(launches, str):
        pattern = generate_launches(launches, days, seed, zone)
        parsed = Launches(pattern.times, None, False, pattern.is_random, days)
    elif is_frame(launches):
        parsed = _parse_frame(to_pandas_frame(launches, _EXPECTED_FRAME))
    else:
        parsed = Launches(convert_datetimes(launches))
    if not len(parsed.times):
        raise InputError(f"launches is {launches!r}: no launch at all. Expected one or more.")
    order = np.argsort(parsed.times, kind="stable")
    ends = None if parsed.ends is None else parsed.ends[order]
    return parsed._replace(times=parsed.times[order], ends=ends)


def _parse_frame(frame: pd.DataFrame) -> Launches:
    """Return the launches of a frame, which must be of one pool."""
    if "time" not in frame or "end" not in frame:
        raise InputError(
            f"launches is a DataFrame without the columns time and end. {_EXPECTED_FRAME}: "
            "fl.launches(frame) takes a frame of fl.metrics, for example."
        )
    names = [name for name in _POOL if name in frame]
    pools = frame[names].dropna().drop_duplicates() if names else frame.head(1)
    if len(pools) > 1:
        raise InputError(
            f"launches has {len(pools):,} images. Each has a pool of its own: choose one, such as "
            f'launches[launches["image_id"] == "{pools.iloc[0].get("image_id")}"].'
        )
    times, ends = (
        convert_datetimes(frame[name] if utc is None else utc)
        for name, utc in ((name, convert_times(frame[name], name)) for name in ("time", "end"))
    )
    if (ends < times).any():
        raise InputError("launches has an end before its time. Expected a result of fl.launches.")
    return Launches(times, ends if (ends > times).any() else None)


# --- sums by period -------------------------------------------------------------------


def list_readings(launches: Launches, fill_time: float, seed: int) -> Iterator[IntArray]:
    """Yield the times at which the launches may have come, if only their periods are known.

    The snapshots that run out at one time are those of one fill time. It touches so many periods
    in a row: the launches of the first may have come at its end, and those of the last at its
    start. A reading places one such row after the other; each period is the first of a row in one
    reading. Many short periods are read as fewer long ones, and in the last reading the launches
    are spread.
    """
    times, ends = launches.times, launches.ends
    if ends is None:
        yield times
        return
    fill, period = max(1, round(fill_time * 1e6)), int((ends - times).max())
    period *= -(-fill // (period * (_MAX_READINGS - 1)))
    row = -(-fill // period) + 1
    numbers = (times - times[0]) // period
    starts = times[0] + numbers * period
    for first in range(row):
        place = (numbers - first) % row
        delays = np.select([place == 0, place == row - 1], [period - 1, 0], period // 2)
        yield np.where(ends > times, starts + delays, times)
    yield spread_launches(launches, seed)


def spread_launches(launches: Launches, seed: int) -> IntArray:
    """Return the launches at random times within their periods."""
    times, ends = launches.times, launches.ends
    if ends is None:
        return times
    share = np.random.default_rng(seed).random(len(times))
    return times + (share * (ends - times)).astype(np.int64)


# --- datetimes ------------------------------------------------------------------------


def convert_datetimes(launches: Any, zone: tzinfo | None = None) -> IntArray:
    """Return microseconds since 1970; times without a zone are in `zone`, or else in UTC."""
    if str(getattr(launches, "dtype", "")).startswith("datetime64"):  # numpy or pandas
        moments = _to_utc_array(launches, zone)
        if moments.ndim != 1:
            raise InputError(f"launches has {moments.ndim} dimensions. Expected one.")
        if missing := int(np.isnat(moments).sum()):
            raise InputError(f"launches has {missing:,} missing times. Leave them out.")
        times: IntArray = moments.astype(np.int64)
    else:
        if not isinstance(launches, Iterable):
            raise InputError(f"launches is {launches!r}. {EXPECTED} Or datetimes.")
        moments = [_to_microseconds(time, zone or UTC) for time in launches]
        times = np.array(moments, dtype=np.int64)
    check_launch_count(len(times))
    return times


def _to_utc_array(launches: Any, zone: tzinfo | None) -> Any:
    """Return an array of numpy's datetimes in UTC."""
    is_naive = getattr(launches.dtype, "tz", None) is None
    if zone is not None and is_naive and np.ndim(launches) == 1:
        index = pd.DatetimeIndex(np.asarray(launches, dtype="datetime64[us]"))
        first = np.ones(len(index), dtype=np.bool_)
        launches = index.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return np.asarray(launches, dtype="datetime64[us]")


def _to_microseconds(time: Any, zone: tzinfo) -> int:
    if isinstance(time, np.datetime64) and not np.isnat(time):
        time = time.astype("datetime64[us]").item()
    if not isinstance(time, datetime) or time != time:  # noqa: PLR0124  NaT is a datetime
        raise InputError(f"launches has {time!r}. Expected datetimes.")
    aware = time.replace(tzinfo=zone) if time.tzinfo is None else time
    return int((aware - _EPOCH) // timedelta(microseconds=1))
