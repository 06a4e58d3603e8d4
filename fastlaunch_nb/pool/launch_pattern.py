"""Launches: from real times, or from a pattern in words, to whole microseconds in order.

The words, with `;` between what goes on side by side, and all times in UTC::

    pattern = rule { ";" rule }
    rule    = COUNT [ "launches" ] when [ days ]
    when    = "at" TIME { "and" TIME }                  so many at each of these times
            | "from" TIME "to" TIME                     so many in all, evenly over that time
            | "an hour" [ "from" TIME "to" TIME ]       so many an hour, evenly; else all day
    days    = "daily" | "every day" | "on" DAY { "and" DAY }       daily where nothing is said
    DAY     = "weekdays" | "weekends" | "Mon" | "Mondays" … | "Mon-Fri" | "Monday to Friday"
    TIME    = "8:00" | "08:00" … "24:00"

Capitals do not matter, "per hour" is "an hour", and a comma is an "and". A time "from" is
included, one "to" is not; where it is not later it is of the next day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.pool.simulation import Whole

MOST: Final = 5_000_000
"""So many launches are played at most: beyond, it takes minutes."""
MOST_DAYS: Final = 100_000

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
    'Expected such as "40 at 08:00 on weekdays", "5 at 06:00 and 22:00 daily" or '
    '"10 an hour from 09:00 to 17:00 on Mon-Fri", with ; between several.'
)


class _Rule(NamedTuple):
    """When launches are in a day, in microseconds after its midnight, and on which days."""

    times: Whole
    days: tuple[int, ...]


def launch_times(launches: Any, days: int) -> Whole:
    """Return when launches are, in microseconds, sorted; refuse what is no such thing.

    Examples
    --------
    >>> launch_times("2 at 08:00 on weekends", days=14) // 3_600_000_000
    array([128, 128, 152, 152, 296, 296, 320, 320])
    """
    times = _of_words(launches, days) if isinstance(launches, str) else _of_times(launches)
    if not len(times):
        raise InputError(f"launches is {launches!r}: no launch at all. Expected one or more.")
    return np.sort(times)


# --- words ----------------------------------------------------------------------------


def _of_words(pattern: str, days: int) -> Whole:
    """Return the launches of so many days, of which the first is a Monday."""
    rules = [_rule(text) for text in pattern.split(";")]
    week = np.arange(days) % 7
    chosen = [np.flatnonzero(np.isin(week, rule.days)) * _DAY for rule in rules]
    _refuse_too_many(sum(len(r.times) * len(d) for r, d in zip(rules, chosen, strict=True)), days)
    parts = [
        (dates[:, None] + rule.times).ravel() for rule, dates in zip(rules, chosen, strict=True)
    ]
    return np.concatenate(parts)


def _rule(text: str) -> _Rule:
    told = _RULE.fullmatch(text.strip())
    if told is None or not (told["hourly"] or told["at"] or told["start"]):
        raise InputError(f"launches has {text.strip()!r}. {_EXPECTED}")
    if told["hourly"] and told["at"]:
        raise InputError(f"launches has {text.strip()!r}: an hour, and at a time. {_EXPECTED}")
    if len(told["count"]) > len(str(MOST)) or not 1 <= int(told["count"]) <= MOST:
        raise InputError(f"launches has {text.strip()!r}. Expected a count from 1 to {MOST:,}.")
    days = tuple(range(7)) if told["days"] is None else _days(told["days"])
    return _Rule(_times_of_day(told, int(told["count"])), days)


def _times_of_day(told: re.Match[str], count: int) -> Whole:
    """Return when the launches of one day are."""
    if told["at"]:
        return np.repeat([_clock(time) for time in re.findall(_TIME, told["at"])], count)
    start = _clock(told["start"]) if told["start"] else 0
    end = _clock(told["end"]) if told["end"] else _DAY
    over = end - start if end > start else end - start + _DAY
    if told["hourly"]:
        return start + np.arange(-(-over * count // _HOUR)) * _HOUR // count
    return start + np.arange(count) * over // count


def _clock(text: str) -> int:
    hours, minutes = (int(part) for part in text.split(":"))
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        raise InputError(f"launches has the time {text!r}. Expected 00:00 to 24:00.")
    return (hours * 60 + minutes) * 60 * _SECOND


def _days(text: str) -> tuple[int, ...]:
    """Return days of the week, 0 is Monday, from a list of them and of ranges."""
    found: set[int] = set()
    for part in re.split(_AND, text.strip().lower()):
        first, *last = re.split(r"\s*[-–]\s*|\s+to\s+", part, maxsplit=1)
        known = [_day(name) for name in (first, *last)]
        if last and not all(len(days) == 1 for days in known):
            raise InputError(f"launches has the days {part!r}. Expected such as Mon-Fri.")
        length = (known[-1][0] - known[0][0]) % 7 + 1
        found |= {(known[0][0] + n) % 7 for n in range(length)} if last else set(known[0])
    return tuple(sorted(found))


def _day(name: str) -> tuple[int, ...]:
    if name not in _DAYS:
        raise InputError(
            f"launches has the day {name!r}.{did_you_mean(name, _DAYS)} "
            "Expected weekdays, weekends, or days such as Mon, Fridays or Mon-Fri."
        )
    return _DAYS[name]


# --- times ----------------------------------------------------------------------------


def _of_times(launches: Any) -> Whole:
    """Return real times in microseconds since 1970; those without a zone are in UTC."""
    if str(getattr(launches, "dtype", "")).startswith("datetime64"):  # of numpy or pandas
        found = np.asarray(launches, dtype="datetime64[us]")
        if found.ndim != 1:
            raise InputError(f"launches has {found.ndim} dimensions. Expected one.")
        if missing := int(np.isnat(found).sum()):
            raise InputError(f"launches has {missing:,} missing times. Leave them out.")
        times: Whole = found.astype(np.int64)
    else:
        if not isinstance(launches, Iterable):
            raise InputError(f"launches is {launches!r}. {_EXPECTED} Or times.")
        times = np.array([_microseconds(time) for time in launches], dtype=np.int64)
    _refuse_too_many(len(times))
    return times


def _microseconds(time: Any) -> int:
    if isinstance(time, np.datetime64) and not np.isnat(time):
        time = time.astype("datetime64[us]").item()
    if not isinstance(time, datetime) or time != time:  # noqa: PLR0124  NaT is a datetime
        raise InputError(f"launches has {time!r}. Expected datetimes.")
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return int((aware - _EPOCH) // timedelta(microseconds=1))


def _refuse_too_many(count: int, days: int | None = None) -> None:
    if count > MOST:
        of = "" if days is None else f" in {days:,} days"
        raise InputError(f"launches are {count:,}{of}. Expected at most {MOST:,}: take less time.")
