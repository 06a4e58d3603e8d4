"""Launch patterns and schedules in words: a text becomes launch times in whole microseconds.

The grammar of a pattern, with `;` between rules that apply side by side::

    pattern  = rule { ";" rule }
    rule     = [ COUNT [ "launches" ] ] when [ days ] [ ZONE ]
    when     = "at" TIME { "and" TIME }                so many at each of these times
             | days [ "at" ] TIME { "and" TIME }       the same, with the days first
             | "from" TIME "to" TIME [ "evenly" ]      so many in all, in that time
             | "an hour" [ "from" TIME "to" TIME ] [ "evenly" ]        so many an hour; else all day
             | "every" [ NUMBER ] UNIT [ "from" TIME "to" TIME ]       so many at regular times
             | "cron(" six fields ")" | "rate(" NUMBER UNIT ")"        as EventBridge has them
             | five fields of cron | "@daily" …                        as crontab has them
    days     = "daily" | "every day" | [ "on" ] DAY { "and" DAY }      daily if missing
    DAY      = "weekdays" | "weekends" | "Mon" | "Mondays" … | "Mon-Fri" | "Monday to Friday"
             | ( "first" … "fifth" | "last" ) "Tuesday"                of the month
    TIME     = "8:00" | "08:00" … "24:00"
    UNIT     = "minutes" | "hours" | "days"
    ZONE     = "UTC" | "Europe/Berlin" …               the time zone of its days and times

**Counts come at random.** "10 an hour" means random arrivals: a Poisson process, so that some
hours have 5 and some 15. "10 from 09:00 to 17:00" means ten at independent random times. Only
"evenly" makes them regular. Case does not matter, "per hour" equals "an hour", and a comma
equals "and". A missing COUNT means one launch. The start of a time range is included, the end is
not; an end that is not later than its start is on the next day. "every" and "rate" without a time
range or days count from the first midnight.

When clocks go forward, local times that do not exist have no launch; when they go back, times
that exist twice have one, the first time. EventBridge Scheduler does the same.
"""

from __future__ import annotations

import re
from datetime import tzinfo
from functools import partial
from typing import Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fastlaunch_nb.errors import InputError, did_you_mean
from fastlaunch_nb.pool.cron import (
    Dates,
    DayFilter,
    is_crontab,
    match_nth_weekday,
    parse_crontab,
    parse_eventbridge_cron,
)

IntArray: TypeAlias = NDArray[np.int64]

MAX_LAUNCHES: Final = 5_000_000
"""More launches take minutes to play."""
MAX_DAYS: Final = 100_000
FIRST_DAY: Final = np.datetime64("2026-01-05", "D")
"""The first day of every pattern: a Monday."""

SECOND: Final = 1_000_000
HOUR: Final = 3_600 * SECOND
DAY: Final = 24 * HOUR
_UNITS = {"minute": 60 * SECOND, "hour": HOUR, "day": DAY}
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAYS: dict[str, tuple[int, ...]] = {
    **{name: (n,) for n, day in enumerate(_WEEK) for name in (day, f"{day}s", day[:3])},
    **dict.fromkeys(("weekdays", "weekday"), tuple(range(5))),
    **dict.fromkeys(("weekends", "weekend"), (5, 6)),
    **dict.fromkeys(("daily", "day"), tuple(range(7))),
}
_ORDINALS = {
    **{word: n for n, word in enumerate(("last", "first", "second", "third", "fourth", "fifth"))},
    **{word: n for n, word in enumerate(("1st", "2nd", "3rd", "4th", "5th"), 1)},
}
_AND = r"(?:\s*,\s*and\s+|\s*,\s*|\s+and\s+)"
_TIME = r"\d?\d:\d\d"
_TIMES = rf"{_TIME}(?:{_AND}{_TIME})*"
_COUNT = r"(?:(?P<count>\d+)(?:\s+launch(?:es)?)?(?:\s+|$))?"
_ONE_DAY = (
    rf"(?:(?:the|every|each)\s+)?(?:(?:{'|'.join(_ORDINALS)})\s+)?"
    rf"(?:{'|'.join(sorted(_DAYS, key=len, reverse=True))})"
)
_RULE = re.compile(
    rf"{_COUNT}(?:at\s+(?P<at>{_TIMES})|(?P<hourly>(?:an|per)\s+hour)"
    r"|every\s+(?:(?P<number>\d+)\s+)?(?P<unit>minute|hour|day)s?)?"
    rf"(?:\s*\bfrom\s+(?P<start>{_TIME})\s+to\s+(?P<end>{_TIME}))?"
    r"(?:\s+(?:daily|every\s+day|on\s+(?P<days>.+)))?",
    re.IGNORECASE,
)
_DAYS_FIRST = re.compile(
    rf"{_COUNT}(?:on\s+)?(?P<days>{_ONE_DAY}(?:(?:{_AND}|\s*[-–]\s*|\s+to\s+){_ONE_DAY})*)"
    rf"(?:\s+of\s+(?:the|each|every)\s+month)?\s+(?:at\s+)?(?P<at>{_TIMES})",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(rf"{_COUNT}(?:at\s+)?(?P<kind>cron|rate)\((?P<fields>.*)\)", re.IGNORECASE)
_RATE = re.compile(r"\s*(?P<number>\d+)\s+(?P<unit>minute|hour|day)s?\s*", re.IGNORECASE)
_ZONE = re.compile(r"\s+(?:in\s+)?(UTC|[A-Z][A-Za-z_]+(?:/[A-Za-z][A-Za-z0-9_+-]*)+)$")
EXPECTED: Final = (
    'Expected a pattern such as "40 at 08:00 on weekdays", "5 at 06:00 and 22:00 daily", '
    '"10 an hour from 09:00 to 17:00 on Mon-Fri", "second Tuesday 08:00 Europe/Berlin", '
    '"every 15 minutes" or "cron(0 8 ? * MON-FRI *)", with ; between several.'
)


class Pattern(NamedTuple):
    """The launches of a pattern, and whether chance chose some of their times."""

    times: IntArray  # microseconds since 1970, not sorted
    is_random: bool


class _Rule(NamedTuple):
    """A rule: its days, and its launches on such a day, or in regular steps from the start."""

    on: DayFilter
    zone: tzinfo | None
    times: IntArray = np.array([], dtype=np.int64)  # fixed ones, in microseconds after midnight
    mean: float = 0  # random ones a day
    is_poisson: bool = False
    start: int = 0  # of the random ones, in microseconds after midnight
    length: int = DAY
    step: int = 0  # in microseconds; then `times` has zeros, one for each launch


def generate_launches(pattern: str, days: int, seed: int, zone: tzinfo | None = None) -> Pattern:
    """Return the launches of so many days, the first a Monday.

    Rules that name no zone are in `zone`, or else in UTC.

    Examples
    --------
    >>> launches = generate_launches("second Tuesday 08:00 Europe/Berlin", days=100, seed=0)
    >>> launches.times.astype("datetime64[us]").astype("datetime64[m]").tolist()[2]
    datetime.datetime(2026, 3, 10, 7, 0)
    """
    rules = [_parse_rule(text.strip(), zone) for text in pattern.split(";")]
    dates = FIRST_DAY + np.arange(days)
    calendar = Dates.from_days(dates)
    chosen = [(rule, dates[rule.on(calendar)]) for rule in rules]
    expected = round(sum(_expected_count(rule, len(its), days) for rule, its in chosen))
    check_launch_count(expected, f" with days={days}")
    draw = np.random.default_rng(seed)
    times = [_draw_times(rule, its, days, draw) for rule, its in chosen]
    return Pattern(np.concatenate(times), any(rule.mean for rule in rules))


def check_launch_count(count: int, note: str = "") -> None:
    """Refuse more launches than can be played in a minute."""
    if count > MAX_LAUNCHES:
        raise InputError(
            f"launches has {count:,} times{note}. Expected at most {MAX_LAUNCHES:,}: "
            "choose a shorter time."
        )


def _expected_count(rule: _Rule, dates: int, days: int) -> float:
    """Return the number of launches of a rule, on average."""
    times = _count_steps(rule, days) if rule.step else dates
    return times * (len(rule.times) + rule.mean)


def _count_steps(rule: _Rule, days: int) -> int:
    """Return how often a rule in regular steps comes in so many days, the first time at once."""
    return -(-days * DAY // rule.step)


def _draw_times(
    rule: _Rule, dates: NDArray[np.datetime64], days: int, draw: np.random.Generator
) -> IntArray:
    """Return the launches of a rule in microseconds since 1970."""
    midnights = dates.astype("datetime64[us]").astype(np.int64)
    if rule.step:
        starts = _to_utc(FIRST_DAY.astype("datetime64[us]").astype(np.int64).reshape(1), rule.zone)
        steps = starts[0] + np.arange(_count_steps(rule, days)) * rule.step
        launches: IntArray = (steps[:, None] + rule.times).ravel()
        return launches
    local = (midnights[:, None] + rule.times).ravel()
    if rule.mean:
        counts = np.full(len(dates), round(rule.mean))
        if rule.is_poisson:
            counts = draw.poisson(rule.mean, len(dates))
        starts = np.repeat(midnights + rule.start, counts)
        local = starts + draw.integers(0, rule.length, len(starts))
    return _to_utc(local, rule.zone)


def _to_utc(local: IntArray, zone: tzinfo | None) -> IntArray:
    """Return local times as UTC; leave out those that the clock skips, take the first of two."""
    if zone is None or not len(local):
        return local
    times = pd.DatetimeIndex(local.astype("datetime64[us]"))
    is_first = np.ones(len(times), dtype=np.bool_)
    aware = times.tz_localize(zone, ambiguous=is_first, nonexistent="NaT").dropna()
    utc: IntArray = aware.tz_convert("UTC").as_unit("us").asi8
    return utc


# --- rules ----------------------------------------------------------------------------


def _parse_rule(text: str, zone: tzinfo | None) -> _Rule:
    whole = text
    if named := _ZONE.search(text):
        text, zone = text[: named.start()], parse_zone(named[1])
    if expression := _EXPRESSION.fullmatch(text):
        return _parse_expression(expression, zone)
    if is_crontab(text):
        schedule = parse_crontab(text)
        return _Rule(schedule.on, zone, schedule.times)
    text, evenly = re.subn(r"\s+evenly\b", "", text, flags=re.IGNORECASE)
    rule = _RULE.fullmatch(text)
    if rule is None or not _is_complete(rule):
        rule = _DAYS_FIRST.fullmatch(text)
    if rule is None:
        raise InputError(f"launches has {whole!r}. {EXPECTED}")
    parts = {"start": None, "hourly": None, "unit": None, **rule.groupdict()}
    if parts["start"] and parts["at"]:
        raise InputError(f'launches has {whole!r}, with both "at" and "from". {EXPECTED}')
    if evenly and (parts["at"] or parts["unit"]):
        raise InputError(
            f'launches has {whole!r}. "evenly" goes with "an hour" or "from … to …" alone.'
        )
    on = partial(_match_days, _parse_days(parts["days"] or "daily"))
    return _add_times(_Rule(on, zone), parts, _parse_count(parts["count"], whole), bool(evenly))


def _add_times(rule: _Rule, parts: dict[str, str | None], count: int, evenly: bool) -> _Rule:
    """Return a rule with its launches on one day."""
    if parts["at"]:
        times = [_parse_time(time) for time in re.findall(_TIME, parts["at"])]
        return rule._replace(times=np.repeat(times, count))
    start, length = _parse_window(parts["start"], parts["end"])
    if parts["unit"]:
        step = _parse_step(parts["number"] or "1", parts["unit"])
        if parts["start"] or parts["days"]:
            return rule._replace(times=np.repeat(np.arange(start, start + length, step), count))
        return rule._replace(times=np.zeros(count, dtype=np.int64), step=step)
    if evenly:
        period = HOUR if parts["hourly"] else length
        times_of_day = start + np.arange(-(-length * count // period)) * period // count
        return rule._replace(times=times_of_day)
    mean = count * length / HOUR if parts["hourly"] else count
    return rule._replace(mean=mean, is_poisson=bool(parts["hourly"]), start=start, length=length)


def _is_complete(rule: re.Match[str]) -> bool:
    """Return whether a rule says when; a count a time needs a count."""
    if rule["at"] or rule["unit"]:
        return True
    return bool(rule["count"] and (rule["hourly"] or rule["start"]))


def _parse_expression(expression: re.Match[str], zone: tzinfo | None) -> _Rule:
    """Parse EventBridge's ``cron(...)`` or ``rate(...)``, with a count before it."""
    count = _parse_count(expression["count"], expression[0])
    if expression["kind"].lower() == "cron":
        schedule = parse_eventbridge_cron(expression["fields"].strip())
        return _Rule(schedule.on, zone, np.repeat(schedule.times, count))
    rate = _RATE.fullmatch(expression["fields"])
    if rate is None:
        raise InputError(f"launches has {expression[0]!r}. Expected such as rate(15 minutes).")
    step = _parse_step(rate["number"], rate["unit"])
    every_day = partial(_match_days, _parse_days("daily"))
    return _Rule(every_day, zone, np.zeros(count, dtype=np.int64), step=step)


def _parse_count(text: str | None, rule: str) -> int:
    if text is None:
        return 1
    if len(text) > len(str(MAX_LAUNCHES)) or not 1 <= int(text) <= MAX_LAUNCHES:
        raise InputError(f"launches has {rule!r}. Expected a count from 1 to {MAX_LAUNCHES:,}.")
    return int(text)


def _parse_step(number: str, unit: str) -> int:
    """Return microseconds."""
    if len(number) > 6 or not int(number):
        raise InputError(
            f"launches has a step of {number} {unit}. Expected a number from 1 to 999,999."
        )
    return int(number) * _UNITS[unit.lower()]


def _parse_window(start: str | None, end: str | None) -> tuple[int, int]:
    """Return the start of a time range and its length, from a microsecond to a day."""
    if start is None or end is None:
        return 0, DAY
    first = _parse_time(start)
    return first, (_parse_time(end) - first) % DAY or DAY


def _parse_time(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        raise InputError(f"launches has the time {text!r}. Expected 00:00 to 24:00.")
    return (hours * 60 + minutes) * 60 * SECOND


def parse_zone(name: str) -> tzinfo | None:
    """Return a time zone by its name, None for UTC."""
    if name == "UTC":
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError
        raise InputError(
            f"time_zone is {name!r}. Expected a name such as 'Europe/Berlin', or 'UTC'."
        ) from None


# --- days -----------------------------------------------------------------------------


def _match_days(filters: list[DayFilter], dates: Dates) -> NDArray[np.bool_]:
    matching: NDArray[np.bool_] = np.logical_or.reduce([on(dates) for on in filters])
    return matching


def _parse_days(text: str) -> list[DayFilter]:
    """Return filters of days, from a list of days, ranges, and days of the month."""
    filters: list[DayFilter] = []
    weekdays: set[int] = set()
    for entry in re.split(_AND, re.sub(r"\s+of\s+\w+\s+month$", "", text.strip().lower())):
        words = re.sub(r"^(?:the|every|each)\s+", "", entry)
        ordinal, _, day = words.partition(" ")
        if ordinal in _ORDINALS:
            numbers = _parse_day(day.strip())
            filters += [match_nth_weekday(number, _ORDINALS[ordinal]) for number in numbers]
        else:
            weekdays |= _parse_day_range(words)
    return [*filters, lambda dates: np.isin(dates.weekday, sorted(weekdays))]


def _parse_day_range(text: str) -> set[int]:
    first, *last = map(_parse_day, re.split(r"\s*[-–]\s*|\s+to\s+", text, maxsplit=1))
    if not last:
        return set(first)
    if len(first) > 1 or len(last[0]) > 1:
        raise InputError(f"launches has the days {text!r}. Expected a range such as Mon-Fri.")
    [start], [[end]] = first, last
    return {(start + n) % 7 for n in range((end - start) % 7 + 1)}


def _parse_day(name: str) -> tuple[int, ...]:
    if name not in _DAYS:
        raise InputError(
            f"launches has the day {name!r}.{did_you_mean(name, _DAYS)} Expected weekdays, "
            'weekends, days such as Mon, Fridays or Mon-Fri, or such as "second Tuesday".'
        )
    return _DAYS[name]
