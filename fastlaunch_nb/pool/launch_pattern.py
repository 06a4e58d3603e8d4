"""Launches: a pattern or real times, parsed into whole microseconds in rising order.

The grammar of a pattern, with `;` between rules that apply side by side, and all times in UTC::

    pattern = rule { ";" rule }
    rule    = COUNT [ "launches" ] when [ days ]
    when    = "at" TIME { "and" TIME }                  so many at each of these times
            | "from" TIME "to" TIME                     so many in all, evenly over that time
            | "an hour" [ "from" TIME "to" TIME ]       so many an hour, evenly; else all day
    days    = "daily" | "every day" | "on" DAY { "and" DAY }       daily if missing
    DAY     = "weekdays" | "weekends" | "Mon" | "Mondays" … | "Mon-Fri" | "Monday to Friday"
    TIME    = "8:00" | "08:00" … "24:00"

Case does not matter, "per hour" equals "an hour", and a comma equals "and". The start of a time
range is included, the end is not; an end that is not later than its start is on the next day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastlaunch_nb.errors import InputError, did_you_mean

IntArray: TypeAlias = NDArray[np.int64]

MAX_LAUNCHES: Final = 5_000_000
"""More launches take minutes to play."""
MAX_DAYS: Final = 100_000

_SECOND = 1_000_000
_HOUR = 3_600 * _SECOND
_DAY = 24 * _HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS: dict[str, tuple[int, ...]] = {
    **{name: (n,) for n, day in enumerate(_WEEK) for name in (day, f"{day}s", day[:3])},
    **dict.fromkeys(("weekdays", "weekday"), tuple(range(5))),
    **dict.fromkeys(("weekends", "weekend"), (5, 6)),
}
_AND = r"(?:\s*,\s*and\s+|\s*,\s*|\s+and\s+)"
_TIME = r"\d?\d:\d\d"
_RULE = re.compile(
    rf"(?P<count>\d+)(?:\s+launch(?:es)?)?(?P<hourly>\s+(?:an|per)\s+hour)?"
    rf"(?:\s+at\s+(?P<at>{_TIME}(?:{_AND}{_TIME})*)"
    rf"|\s+from\s+(?P<start>{_TIME})\s+to\s+(?P<end>{_TIME}))?"
    r"(?:\s+(?:daily|every\s+day|on\s+(?P<days>.+)))?",
    re.IGNORECASE,
)
_EXPECTED = (
    'Expected a pattern such as "40 at 08:00 on weekdays", "5 at 06:00 and 22:00 daily" or '
    '"10 an hour from 09:00 to 17:00 on Mon-Fri", with ; between several.'
)


def parse_launches(launches: Any, days: int) -> IntArray:
    """Return the times of launches in microseconds, sorted.

    Examples
    --------
    >>> parse_launches("2 at 08:00 on weekends", days=14) // 3_600_000_000
    array([128, 128, 152, 152, 296, 296, 320, 320])
    """
    is_pattern = isinstance(launches, str)
    times = _parse_pattern(launches, days) if is_pattern else _convert_datetimes(launches)
    if not len(times):
        raise InputError(f"launches is {launches!r}: no launch at all. Expected one or more.")
    return np.sort(times)


# --- patterns -------------------------------------------------------------------------


def _parse_pattern(pattern: str, days: int) -> IntArray:
    """Return the launches of so many days, the first a Monday."""
    rules = [_parse_rule(text.strip()) for text in pattern.split(";")]
    weekdays = np.arange(days) % 7
    launches = [(np.flatnonzero(np.isin(weekdays, on)) * _DAY, times) for on, times in rules]
    _check_count(sum(len(starts) * len(times) for starts, times in launches), f" with days={days}")
    return np.concatenate([(starts[:, None] + times).ravel() for starts, times in launches])


def _parse_rule(text: str) -> tuple[tuple[int, ...], IntArray]:
    """Return the days of the week of a rule, and its launches in microseconds after midnight."""
    rule = _RULE.fullmatch(text)
    if rule is None or not (rule["hourly"] or rule["at"] or rule["start"]):
        raise InputError(f"launches has {text!r}. {_EXPECTED}")
    if rule["hourly"] and rule["at"]:
        raise InputError(f'launches has {text!r}, with both "an hour" and "at". {_EXPECTED}')
    if len(rule["count"]) > len(str(MAX_LAUNCHES)) or not 1 <= int(rule["count"]) <= MAX_LAUNCHES:
        raise InputError(f"launches has {text!r}. Expected a count from 1 to {MAX_LAUNCHES:,}.")
    days = tuple(range(7)) if rule["days"] is None else _parse_days(rule["days"])
    return days, _list_times_of_day(rule, int(rule["count"]))


def _list_times_of_day(rule: re.Match[str], count: int) -> IntArray:
    """Return the times of a rule's launches on one day."""
    if rule["at"]:
        return np.repeat([_parse_time(time) for time in re.findall(_TIME, rule["at"])], count)
    start, end = _parse_time(rule["start"] or "00:00"), _parse_time(rule["end"] or "24:00")
    length = end - start if end > start else end - start + _DAY
    if rule["hourly"]:
        return start + np.arange(-(-length * count // _HOUR)) * _HOUR // count
    return start + np.arange(count) * length // count


def _parse_time(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        raise InputError(f"launches has the time {text!r}. Expected 00:00 to 24:00.")
    return (hours * 60 + minutes) * 60 * _SECOND


def _parse_days(text: str) -> tuple[int, ...]:
    """Return days of the week, 0 for Monday, from a list of days and ranges."""
    days: set[int] = set()
    for entry in re.split(_AND, text.strip().lower()):
        first, *last = map(_parse_day, re.split(r"\s*[-–]\s*|\s+to\s+", entry, maxsplit=1))
        if not last:
            days.update(first)
            continue
        if len(first) > 1 or len(last[0]) > 1:
            raise InputError(f"launches has the days {entry!r}. Expected a range such as Mon-Fri.")
        length = (last[0][0] - first[0]) % 7 + 1
        days.update((first[0] + n) % 7 for n in range(length))
    return tuple(sorted(days))


def _parse_day(name: str) -> tuple[int, ...]:
    if name not in _DAYS:
        raise InputError(
            f"launches has the day {name!r}.{did_you_mean(name, _DAYS)} "
            "Expected weekdays, weekends, or days such as Mon, Fridays or Mon-Fri."
        )
    return _DAYS[name]


# --- real times -----------------------------------------------------------------------


def _convert_datetimes(launches: Any) -> IntArray:
    """Return microseconds since 1970; times without a zone are in UTC."""
    if str(getattr(launches, "dtype", "")).startswith("datetime64"):  # numpy or pandas
        moments = np.asarray(launches, dtype="datetime64[us]")
        if moments.ndim != 1:
            raise InputError(f"launches has {moments.ndim} dimensions. Expected one.")
        if missing := int(np.isnat(moments).sum()):
            raise InputError(f"launches has {missing:,} missing times. Leave them out.")
        times: IntArray = moments.astype(np.int64)
    else:
        if not isinstance(launches, Iterable):
            raise InputError(f"launches is {launches!r}. {_EXPECTED} Or datetimes.")
        times = np.array([_to_microseconds(time) for time in launches], dtype=np.int64)
    _check_count(len(times))
    return times


def _to_microseconds(time: Any) -> int:
    if isinstance(time, np.datetime64) and not np.isnat(time):
        time = time.astype("datetime64[us]").item()
    if not isinstance(time, datetime) or time != time:  # noqa: PLR0124  NaT is a datetime
        raise InputError(f"launches has {time!r}. Expected datetimes.")
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return int((aware - _EPOCH) // timedelta(microseconds=1))


def _check_count(count: int, note: str = "") -> None:
    if count > MAX_LAUNCHES:
        raise InputError(
            f"launches has {count:,} times{note}. Expected at most {MAX_LAUNCHES:,}: "
            "choose a shorter time."
        )
