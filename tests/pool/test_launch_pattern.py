"""Tests of launches: patterns and real times, parsed into whole microseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.pool.launch_pattern import parse_launches

HOUR = 3_600
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)


def parse_hours(pattern: str, days: int = 7) -> list[float]:
    """Return the launches of a pattern, in hours after the first Monday."""
    hours: list[float] = (parse_launches(pattern, days) / 3.6e9).tolist()
    return hours


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("2 at 08:00 on weekdays", [24 * day + 8 for day in range(5) for _ in range(2)]),
        ("1 at 8:00 and 20:30 on Sat", [128, 140.5]),
        ("1 launch at 0:00, 6:00 and 12:00 on Sundays", [144, 150, 156]),
        ("2 an hour from 09:00 to 11:00 on Wed", [57, 57.5, 58, 58.5]),
        ("2 per hour from 23:00 to 01:00 on tuesday", [47, 47.5, 48, 48.5]),
        ("3 from 09:00 to 12:00 on mondays", [9, 10, 11]),
        ("1 at 00:00", [0, 24, 48, 72, 96, 120, 144]),
        ("1 at 00:00 daily", [0, 24, 48, 72, 96, 120, 144]),
        ("1 AT 00:00 every day", [0, 24, 48, 72, 96, 120, 144]),
        ("1 at 00:00 on Mon, Wed and Fri", [0, 48, 96]),
        ("1 at 00:00 on Sat-Mon", [0, 120, 144]),
        ("1 at 00:00 on Friday to Saturday, tue", [24, 96, 120]),
        ("1 at 00:00 on weekends and Mon", [0, 120, 144]),
        ("1 at 12:00 on Tue; 1 at 11:00 on Tue ;2 at 24:00 on Mon", [24, 24, 35, 36]),
        ("1 an hour on Mon", list(range(24))),
        ("3 from 22:30 to 01:30 on Sun", [166.5, 167.5, 168.5]),
        ("2 from 06:00 to 06:00 on Mon", [6, 18]),
        ("1 at 0:59 and 23:59 on Mon", [59 / 60, 23 + 59 / 60]),
        ("1 at 00:00 on Mon to Mon", [0]),
        ("1 at 00:00 on Sun-Sat", [0, 24, 48, 72, 96, 120, 144]),
    ],
)
def test_patterns(pattern: str, expected: list[float]) -> None:
    """A pattern gives the times of its launches from a Monday on, in order."""
    assert parse_hours(pattern) == expected


@given(st.integers(1, 40), st.integers(0, 23), st.integers(1, 24))
@example(7, 22, 5)
def test_an_hourly_count_is_met_each_hour(count: int, start: int, length: int) -> None:
    """Law: an hour of "10 an hour" has 10 launches."""
    hours = parse_hours(f"{count} an hour from {start}:00 to {(start + length) % 24}:00 on Mon")
    full = np.floor(hours).astype(int)
    assert np.unique(full, return_counts=True)[1].tolist() == [count] * length
    assert min(full) == start


def test_times_are_whole_microseconds() -> None:
    """Launches that cannot be evenly apart are rounded down to microseconds."""
    for pattern in ("7 an hour from 00:00 to 01:00 on Mon", "7 from 00:00 to 01:00 on Mon"):
        times = parse_launches(pattern, days=7)
        assert times.dtype == np.int64
        assert times.tolist() == [number * HOUR * 1_000_000 // 7 for number in range(7)]


def test_days_begin_on_a_monday() -> None:
    """Of ten days, eight are weekdays: Monday to Friday, and three of the next week."""
    assert len(parse_hours("1 at 08:00 on weekdays", days=10)) == 8
    assert len(parse_hours("1 at 08:00 on weekends", days=10)) == 2


LATER = MONDAY + timedelta(hours=1)
EAST = LATER.astimezone(timezone(timedelta(hours=5, minutes=30)))
PAIR = np.array(["2026-01-05T00", "2026-01-05T01"], dtype="datetime64[h]")
SAME_TIMES: list[Any] = [
    [MONDAY, LATER],
    iter([LATER, MONDAY]),
    [MONDAY.replace(tzinfo=None), EAST],
    PAIR,
    [PAIR[0].astype("datetime64[ns]"), EAST],
    pd.Series(PAIR[::-1]),
    pd.Series(PAIR).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    pd.DatetimeIndex(["2026-01-05T01:00+01:00", "2026-01-05T02:00+01:00"]),
    [pd.Timestamp("2026-01-05"), pd.Timestamp("2026-01-05T01", tz="UTC")],
]


@pytest.mark.parametrize("times", SAME_TIMES, ids=lambda value: type(value).__name__)
def test_real_times(times: Any) -> None:
    """Datetimes of Python, numpy and pandas may be in any order; without a zone they are UTC."""
    first = int(MONDAY.timestamp()) * 1_000_000
    assert parse_launches(times, days=1).tolist() == [first, first + HOUR * 1_000_000]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("40", "'40'. Expected a pattern such as"),
        ("", "''. Expected a pattern such as"),
        ("1 at 08:00;", "''. Expected a pattern such as"),
        ("forty at 08:00", "'forty at 08:00'. Expected a pattern such as"),
        ("40 at 8", "'40 at 8'. Expected a pattern such as"),
        ("4 an hour at 08:00", 'with both "an hour" and "at"'),
        ("0 at 08:00", "Expected a count from 1"),
        ("5000001 at 08:00", "Expected a count from 1 to 5,000,000"),
        (
            "5000000 at 08:00 on Mon; 1 at 09:00 on Mon",
            "launches has 260,000,052 times with days=364",
        ),
        ("9" * 5000 + " at 08:00", "Expected a count from 1"),
        ("40 at 25:00", "'25:00'. Expected 00:00 to 24:00"),
        ("40 at 24:01", "'24:01'. Expected 00:00 to 24:00"),
        ("40 at 08:60", "'08:60'. Expected 00:00 to 24:00"),
        ("40 at 08:00 on wekdays", "'wekdays'. Did you mean 'weekdays'?"),
        ("40 at 08:00 on Mon-weekends", "'mon-weekends'. Expected a range such as Mon-Fri"),
        ("5000 an hour", "has 43,680,000 times with days=364. Expected at most 5,000,000"),
        (pd.Series([], dtype="datetime64[us]"), "no launch at all"),
        ([], "no launch at all"),
        (40, "launches is 40. Expected a pattern such as"),
        (["08:00"], "launches has '08:00'. Expected datetimes"),
        ([MONDAY.date()], "Expected datetimes"),
        ([pd.NaT], "launches has NaT. Expected datetimes"),
        ([np.datetime64("NaT")], "Expected datetimes"),
        (pd.Series([MONDAY, None]), "launches has 1 missing times"),
        (np.array([["2026-01-05"]], dtype="datetime64[s]"), "2 dimensions"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_invalid_launches_are_refused(wrong: Any, message: str) -> None:
    """The error has what was given, and what was expected."""
    with pytest.raises(fl.InputError) as refused:
        fl.right_size(wrong)
    assert message in str(refused.value)


def test_a_pattern_without_a_launch_is_refused() -> None:
    """The error names a pattern that has no launch in its days."""
    with pytest.raises(fl.InputError, match="on Sun': no launch at all"):
        fl.right_size("1 at 08:00 on Sun", days=6)


def test_five_million_launches_are_the_limit() -> None:
    """Five million launches are accepted, one more is not, in a pattern or as times."""
    assert len(parse_launches("5000000 at 08:00", days=1)) == 5_000_000
    with pytest.raises(fl.InputError, match=r"5,000,001 times with days=1\. Expected at most"):
        parse_launches("5000000 at 08:00; 1 at 09:00", days=1)
    with pytest.raises(fl.InputError, match=r"5,000,001 times\. Expected at most 5,000,000"):
        parse_launches(np.zeros(5_000_001, dtype="datetime64[s]"), days=1)
