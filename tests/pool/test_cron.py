"""Tests of schedules of cron and EventBridge: days and times, by the calendar."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.errors import InputError
from fastlaunch_nb.pool.cron import (
    MINUTE,
    Dates,
    Schedule,
    is_crontab,
    parse_crontab,
    parse_eventbridge_cron,
)

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(3 * 365)]
DATES = Dates.from_days(np.array(DAYS, dtype="datetime64[D]"))


def list_days(schedule: Schedule, year: int = 2026) -> list[str]:
    """Return the days of a year on which a schedule runs."""
    matching = [day for day, runs in zip(DAYS, schedule.on(DATES), strict=True) if runs]
    return [day.strftime("%m-%d") for day in matching if day.year == year]


def list_times(schedule: Schedule) -> list[str]:
    """Return the times of a day at which a schedule runs."""
    minutes = (schedule.times // MINUTE).tolist()
    return [f"{minute // 60:02}:{minute % 60:02}" for minute in minutes]


@given(st.dates(date(1970, 1, 1), date(2199, 12, 31)))
def test_dates_are_those_of_the_calendar(day: date) -> None:
    """Law: the parts of a date are those that Python's calendar has."""
    dates = Dates.from_days(np.array([day], dtype="datetime64[D]"))
    length = calendar.monthrange(day.year, day.month)[1]
    expected = [day.year, day.month, day.day, day.weekday(), length]
    assert [int(part[0]) for part in dates] == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("0 8 ? * * *", ["08:00"]),
        ("0,30 8,20 ? * * *", ["08:00", "08:30", "20:00", "20:30"]),
        ("0/20 8-9 ? * * *", ["08:00", "08:20", "08:40", "09:00", "09:20", "09:40"]),
        ("5/25 8 ? * * *", ["08:05", "08:30", "08:55"]),
        ("*/30 0 ? * * *", ["00:00", "00:30"]),
        ("10-50/20 23 ? * * *", ["23:10", "23:30", "23:50"]),
    ],
)
def test_times_of_a_day(fields: str, expected: list[str]) -> None:
    """Minutes and hours may be lists, ranges and steps."""
    assert list_times(parse_eventbridge_cron(fields)) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("1,15 2 ?", ["02-01", "02-15"]),
        ("L FEB,APR ?", ["02-28", "04-30"]),
        ("L-3 2 ?", ["02-25"]),
        ("LW 1,2,5 ?", ["01-30", "02-27", "05-29"]),
        ("15W 1,2,3 ?", ["01-15", "02-16", "03-16"]),
        ("1W 1,2,3,8 ?", ["01-01", "02-02", "03-02", "08-03"]),
        ("31W 2,5,10 ?", ["05-29", "10-30"]),
        ("30W 8 ?", ["08-31"]),
        ("? 1 3#2", ["01-13"]),
        ("? 1-2 TUE#1", ["01-06", "02-03"]),
        ("? 1,5 SAT#5", ["01-31", "05-30"]),
        ("? 2 6L", ["02-27"]),
        ("? 2 L", ["02-07", "02-14", "02-21", "02-28"]),
        ("? 2 SAT-SUN", [f"02-{day:02}" for day in (1, 7, 8, 14, 15, 21, 22, 28)]),
        ("? 2 FRI-MON/2", [f"02-{day:02}" for day in (1, 6, 8, 13, 15, 20, 22, 27)]),
        ("? 2 1", ["02-01", "02-08", "02-15", "02-22"]),
        ("? 2 2-3/2", ["02-02", "02-09", "02-16", "02-23"]),
    ],
)  # fmt: skip
def test_days_of_eventbridge(days: str, expected: list[str]) -> None:
    """EventBridge's days: lists, L, W and #, with Sunday as 1."""
    assert list_days(parse_eventbridge_cron(f"0 8 {days} *")) == expected


def test_years_of_eventbridge() -> None:
    """The sixth field is the year."""
    schedule = parse_eventbridge_cron("0 8 1 1 ? 2027-2199")
    assert (list_days(schedule, 2026), list_days(schedule, 2027)) == ([], ["01-01"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 8 * 2 0", ["02-01", "02-08", "02-15", "02-22"]),
        ("0 8 * 2 7", ["02-01", "02-08", "02-15", "02-22"]),
        ("0 8 * 2 sun", ["02-01", "02-08", "02-15", "02-22"]),
        ("0 8 * 2 sat-sun", [f"02-{day:02}" for day in (1, 7, 8, 14, 15, 21, 22, 28)]),
        ("0 8 * 2 7-1", [f"02-{day:02}" for day in (1, 2, 8, 9, 15, 16, 22, 23)]),
        ("0 8 13 2 *", ["02-13"]),
        ("0 8 13 2 5", ["02-06", "02-13", "02-20", "02-27"]),
        ("0 8 12 2 5", ["02-06", "02-12", "02-13", "02-20", "02-27"]),
        ("0 8 */10 2 5", []),
        ("@monthly", [f"{month:02}-01" for month in range(1, 13)]),
    ],
)
def test_days_of_crontab(line: str, expected: list[str]) -> None:
    """Crontab's days: Sunday is 0 or 7, and either of two restricted day fields is enough."""
    assert list_days(parse_crontab(line)) == expected


def test_a_line_of_crontab_is_recognized() -> None:
    """Five fields of which two are numbers are a line of crontab; a pattern in words is none."""
    assert [is_crontab(line) for line in ("0 8 * * 1-5", "*/5 0,12 1 jan *", "@daily")] == [
        True
    ] * 3
    words = ("10 an hour on Mon", "1 at 08:00 on Mon", "0 8 * *", "0 8 * * * *")
    assert [is_crontab(line) for line in words] == [False] * 4


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("0 8 * *", "with 4 fields. Expected six"),
        ("0 8 * * * *", r"Expected \? in one of day-of-month and day-of-week"),
        ("0 8 ? * ? *", r"Expected \? in one of day-of-month and day-of-week"),
        ("60 8 ? * * *", "'60' as minutes. Expected 0-59, with"),
        ("0 24 ? * * *", "'24' as hours. Expected 0-23"),
        ("0 8 32 * ? *", "'32' as day-of-month. Expected 1-31"),
        ("0 8 0 * ? *", "'0' as day-of-month"),
        ("0 8 32W * ? *", "'32W' as day-of-month"),
        ("0 8 ? 13 * *", "'13' as month. Expected 1-12 or JAN-DEC"),
        ("0 8 ? * 8 *", "'8' as day-of-week. Expected 1-7 or SUN-SAT"),
        ("0 8 ? * 0 *", "'0' as day-of-week"),
        ("0 8 ? * FUN#2 *", r"'FUN#2' as day-of-week"),
        ("0 8 ? * 3#6 *", "'3#6' as day-of-week"),
        ("0 8 ? * * 2200", "'2200' as year. Expected 1970-2199"),
        ("5-1 8 ? * * *", "'5-1' as minutes"),
        ("0 8 ? DEC-JAN * *", "'DEC-JAN' as month"),
        ("0/0 8 ? * * *", "'0/0' as minutes"),
        ("x 8 ? * * *", "'x' as minutes"),
        ("99999999999 8 ? * * *", "as minutes"),
    ],
)
def test_invalid_expressions_of_eventbridge_are_refused(fields: str, message: str) -> None:
    """The error names the field, its text and its range."""
    with pytest.raises(InputError, match=message):
        parse_eventbridge_cron(fields)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("@reboot", "'@reboot'. Expected the five fields of cron, or one of @hourly"),
        ("0 8 * * 8", "'8' as day-of-week. Expected 0-7 or SUN-SAT"),
        ("0 8 * * MON-", "'MON-' as day-of-week"),
    ],
)
def test_invalid_lines_of_crontab_are_refused(line: str, message: str) -> None:
    """The error names what is wrong in a line of crontab."""
    with pytest.raises(InputError, match=message):
        parse_crontab(line)
