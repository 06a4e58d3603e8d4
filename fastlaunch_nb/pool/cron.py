"""Schedules of cron and of EventBridge: on which days they run, and when on such a day.

Two dialects. EventBridge's ``cron(minutes hours day-of-month month day-of-week year)`` counts days
of the week from 1, Sunday, and needs a ``?`` in one of the two day fields (EventBridge User Guide,
"Cron expressions reference"). A line of crontab has five fields, counts days of the week from
0, Sunday, and runs if either day field fits when both are restricted (crontab(5)).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastlaunch_nb.errors import InputError

BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]

MINUTE: Final = 60_000_000
"""Microseconds of a minute."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class Dates(NamedTuple):
    """Days of the calendar, one array for each part of a date."""

    year: IntArray
    month: IntArray
    day: IntArray
    weekday: IntArray  # 0 is Monday
    length: IntArray  # days of the month

    @classmethod
    def from_days(cls, days: NDArray[np.datetime64]) -> Dates:
        """Split days, as numpy's ``datetime64[D]``, into their parts.

        Examples
        --------
        >>> dates = Dates.from_days(np.array(["2026-02-10"], dtype="datetime64[D]"))
        >>> [int(part[0]) for part in dates]
        [2026, 2, 10, 1, 28]
        """
        months = days.astype("datetime64[M]")
        first, following = (month.astype("datetime64[D]") for month in (months, months + 1))
        return cls(
            year=days.astype("datetime64[Y]").astype(np.int64) + 1970,
            month=months.astype(np.int64) % 12 + 1,
            day=(days - first).astype(np.int64) + 1,
            weekday=(days.astype(np.int64) + 3) % 7,  # 1 January 1970 was a Thursday
            length=(following - first).astype(np.int64),
        )


DayFilter: TypeAlias = Callable[[Dates], BoolArray]
"""Returns which days match."""


class Schedule(NamedTuple):
    """The days on which something runs, and its times on such a day."""

    on: DayFilter
    times: IntArray  # microseconds after midnight


class _Field(NamedTuple):
    """A field of an expression: its name, its lowest and highest value, and names of values."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = {}


_MINUTES, _HOURS = _Field("minutes", 0, 59), _Field("hours", 0, 23)
_DAYS_OF_MONTH = _Field("day-of-month", 1, 31)
_MONTHS_OF_YEAR = _Field("month", 1, 12, {name: n for n, name in enumerate(_MONTHS, 1)})
_AWS_WEEKDAYS = _Field("day-of-week", 1, 7, {name: n for n, name in enumerate(_DAYS, 1)})
_UNIX_WEEKDAYS = _Field("day-of-week", 0, 7, {name: n for n, name in enumerate(_DAYS)})
_YEARS = _Field("year", 1970, 2199)


def is_crontab(text: str) -> bool:
    """Return whether a text looks like five fields of crontab, or an alias such as @daily.

    Examples
    --------
    >>> is_crontab("*/15 8-18 * * MON-FRI"), is_crontab("10 an hour on Mon")
    (True, False)
    """
    return text.startswith("@") or bool(re.fullmatch(r"([\d*/,-]+\s+){2}(\S+\s+){2}\S+", text))


def parse_crontab(text: str) -> Schedule:
    """Parse the five fields of a line of crontab, or an alias."""
    expression = _ALIASES.get(text.lower(), text)
    fields = expression.split()
    if len(fields) != 5:
        raise InputError(
            f"launches has the schedule {text!r}. Expected the five fields of cron, or one of "
            f"{', '.join(_ALIASES)}."
        )
    minutes, hours, day, month, weekday = fields
    on_day = _parse_day_of_month(day)
    on_weekday = _parse_day_of_week(weekday, _UNIX_WEEKDAYS)
    if day.startswith("*") or weekday.startswith("*"):
        on = _match_all(on_day, on_weekday)
    else:
        on = _match_any(on_day, on_weekday)
    months = _parse_field(month, _MONTHS_OF_YEAR)
    return Schedule(
        _match_all(on, lambda dates: np.isin(dates.month, months)), _list_times(minutes, hours)
    )


def parse_eventbridge_cron(text: str) -> Schedule:
    """Parse the six fields between the brackets of EventBridge's ``cron(...)``.

    Examples
    --------
    >>> schedule = parse_eventbridge_cron("0 8,20 ? * MON-FRI *")
    >>> (schedule.times // MINUTE).tolist()
    [480, 1200]
    """
    fields = text.split()
    if len(fields) != 6:
        raise InputError(
            f"launches has cron({text}) with {len(fields)} fields. Expected six: minutes, hours, "
            "day-of-month, month, day-of-week, year."
        )
    minutes, hours, day, month, weekday, year = fields
    if (day == "?") == (weekday == "?"):
        raise InputError(
            f"launches has cron({text}). Expected ? in one of day-of-month and day-of-week, as "
            "EventBridge does."
        )
    months, years = _parse_field(month, _MONTHS_OF_YEAR), _parse_field(year, _YEARS)
    on = _match_all(
        _parse_day_of_month(day),
        _parse_day_of_week(weekday, _AWS_WEEKDAYS),
        lambda dates: np.isin(dates.month, months) & np.isin(dates.year, years),
    )
    return Schedule(on, _list_times(minutes, hours))


# --- fields ---------------------------------------------------------------------------


def _list_times(minutes: str, hours: str) -> IntArray:
    """Return the times of a day in microseconds after midnight."""
    pairs = [
        60 * hour + minute
        for hour in _parse_field(hours, _HOURS)
        for minute in _parse_field(minutes, _MINUTES)
    ]
    return np.array(pairs, dtype=np.int64) * MINUTE


def _parse_field(text: str, field: _Field) -> list[int]:
    """Return the values of a field, such as ``1-5``, ``0/15`` or ``MON,WED``, in rising order.

    Days of the week may go on into the next one: ``FRI-MON`` ends 7 days later than ``MON``.
    """
    values: set[int] = set()
    for entry in text.split(","):
        part = _PART.fullmatch(entry)
        if part is None or part[3] == "0":
            raise _refuse(text, field)
        step = int(part[3] or 1)
        first = field.low if part[1] is None else _parse_value(part[1], field, text)
        is_open = part[1] is None or (part[3] and not part[2])
        last = field.high if is_open else _parse_value(part[2] or part[1], field, text)
        if last < first and field.name == "day-of-week":  # from FRI to MON
            last += 7
        if last < first:
            raise _refuse(text, field)
        values |= set(range(first, last + 1, step))
    return sorted(values)


def _parse_value(text: str, field: _Field, whole: str) -> int:
    value = field.names.get(text.lower(), -1)
    if text.isascii() and text.isdigit():
        value = int(text[:5])
    if not field.low <= value <= field.high:
        raise _refuse(whole, field)
    return value


def _refuse(text: str, field: _Field) -> InputError:
    names = (
        f" or {'-'.join([*field.names][:: len(field.names) - 1]).upper()}" if field.names else ""
    )
    return InputError(
        f"launches has a schedule with {text!r} as {field.name}. "
        f"Expected {field.low}-{field.high}{names}, with , - * or /."
    )


# --- days -----------------------------------------------------------------------------


def _match_all(*filters: DayFilter) -> DayFilter:
    return lambda dates: np.logical_and.reduce([matches(dates) for matches in filters])


def _match_any(*filters: DayFilter) -> DayFilter:
    return lambda dates: np.logical_or.reduce([matches(dates) for matches in filters])


def _parse_day_of_month(text: str) -> DayFilter:
    """Return a filter of days of the month: ``1,15``, ``L``, ``L-2``, ``15W`` or ``LW``."""
    if text == "?":
        return lambda dates: dates.day > 0
    if last := re.fullmatch(r"L(?:-(\d{1,2}))?", text, re.IGNORECASE):
        before = int(last[1] or 0)
        return lambda dates: dates.day == dates.length - before
    if near := re.fullmatch(r"(L|\d{1,2})W", text, re.IGNORECASE):
        number = None if near[1].upper() == "L" else _parse_value(near[1], _DAYS_OF_MONTH, text)
        return lambda dates: _is_nearest_weekday(dates, number)
    days = _parse_field(text, _DAYS_OF_MONTH)
    return lambda dates: np.isin(dates.day, days)


def _is_nearest_weekday(dates: Dates, number: int | None) -> BoolArray:
    """Return which days are the weekday nearest to a day of their month; None: to its last."""
    goal = dates.length if number is None else np.full_like(dates.length, number)
    weekday = (dates.weekday + goal - dates.day) % 7
    saturday = np.where(goal == 1, 2, -1)  # never into another month
    sunday = np.where(goal == dates.length, -2, 1)
    nearest = goal + np.select([weekday == 5, weekday == 6], [saturday, sunday])
    found: BoolArray = (dates.day == nearest) & (goal <= dates.length)
    return found


def _parse_day_of_week(text: str, field: _Field) -> DayFilter:
    """Return a filter of days of the week: ``MON-FRI``, ``6L`` for the last Friday, ``3#2``."""
    if text == "?":
        return lambda dates: dates.day > 0
    if nth := re.fullmatch(r"(\w+)#([1-5])", text):
        return match_nth_weekday(_to_weekday(_parse_value(nth[1], field, text), field), int(nth[2]))
    if last := re.fullmatch(r"(\w+)L", text, re.IGNORECASE):
        return match_nth_weekday(_to_weekday(_parse_value(last[1], field, text), field), 0)
    plain = str(field.low + 6) if text.upper() == "L" else text  # L alone is Saturday
    days = [_to_weekday(value, field) for value in _parse_field(plain, field)]
    return lambda dates: np.isin(dates.weekday, days)


def _to_weekday(value: int, field: _Field) -> int:
    """Return a day of the week, 0 for Monday, from one of a dialect."""
    return (value - field.low - 1) % 7


def match_nth_weekday(weekday: int, number: int) -> DayFilter:
    """Return a filter of the first to fifth such day of a month, or 0 for its last one."""
    if number == 0:
        return lambda dates: (dates.weekday == weekday) & (dates.day > dates.length - 7)
    return lambda dates: (dates.weekday == weekday) & ((dates.day - 1) // 7 == number - 1)
