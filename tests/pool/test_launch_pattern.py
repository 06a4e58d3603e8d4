"""Tests of launch patterns: words and schedules, turned into whole microseconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastlaunch_nb as fl
from fastlaunch_nb.pool.launch_pattern import DAY, FIRST_DAY, HOUR, IntArray, generate_launches

START = int(FIRST_DAY.astype("datetime64[us]").astype(np.int64))


def make_times(pattern: str, days: int = 7, seed: int = 0, zone: str = "UTC") -> IntArray:
    """Return the launches of a pattern in microseconds after the first midnight in UTC, sorted."""
    return np.sort(generate_launches(pattern, days, seed, ZoneInfo(zone)).times) - START


def make_hours(pattern: str, days: int = 7) -> list[float]:
    """Return the launches of a pattern, in hours after the first Monday."""
    hours: list[float] = (make_times(pattern, days) / HOUR).tolist()
    return hours


def make_local(pattern: str, zone: str, days: int = 364) -> list[str]:
    """Return the launches of a pattern as local times."""
    moments = (make_times(pattern, days) + START) / 1e6
    return [
        datetime.fromtimestamp(each, ZoneInfo(zone)).strftime("%m-%d %H:%M") for each in moments
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("2 at 08:00 on weekdays", [24 * day + 8 for day in range(5) for _ in range(2)]),
        ("1 at 8:00 and 20:30 on Sat", [128, 140.5]),
        ("1 launch at 0:00, 6:00 and 12:00 on Sundays", [144, 150, 156]),
        ("2 an hour evenly from 09:00 to 11:00 on Wed", [57, 57.5, 58, 58.5]),
        ("2 per hour from 23:00 to 01:00 evenly on tuesday", [47, 47.5, 48, 48.5]),
        ("3 evenly from 09:00 to 12:00 on mondays", [9, 10, 11]),
        ("1 at 00:00", [0, 24, 48, 72, 96, 120, 144]),
        ("1 at 00:00 daily", [0, 24, 48, 72, 96, 120, 144]),
        ("1 AT 00:00 every day", [0, 24, 48, 72, 96, 120, 144]),
        ("1 at 00:00 on Mon, Wed and Fri", [0, 48, 96]),
        ("1 at 00:00 on Sat-Mon", [0, 120, 144]),
        ("1 at 00:00 on Friday to Saturday, tue", [24, 96, 120]),
        ("1 at 00:00 on weekends and Mon", [0, 120, 144]),
        ("1 at 12:00 on Tue; 1 at 11:00 on Tue ;2 at 24:00 on Mon", [24, 24, 35, 36]),
        ("1 an hour evenly on Mon", list(range(24))),
        ("3 evenly from 22:30 to 01:30 on Sun", [166.5, 167.5, 168.5]),
        ("2 from 06:00 to 06:00 evenly on Mon", [6, 18]),
        ("1 at 0:59 and 23:59 on Mon", [59 / 60, 23 + 59 / 60]),
        ("1 at 00:00 on Mon to Mon", [0]),
        ("1 at 00:00 on Sun-Sat", [0, 24, 48, 72, 96, 120, 144]),
        ("2 EVENLY from 24:00 to 0:00 on Mon", [24, 36]),
        ("2 evenly from 24:00 to 06:00 on Mon", [24, 27]),
        ("2 evenly from 0:00 to 24:00 on Mon", [0, 12]),
        ("at 08:00 on Mon", [8]),
        ("Monday 08:00", [8]),
        ("3 launches on Mon and Tue at 08:00 and 09:00", [8] * 3 + [9] * 3 + [32] * 3 + [33] * 3),
        ("40 weekends 8:00", [128] * 40 + [152] * 40),
        ("every Tuesday at 8:00", [32]),
        ("every day 8:00", [8 + 24 * n for n in range(7)]),
        ("every 12 hours", [12 * n for n in range(14)]),
        ("2 every 3 days", [0, 0, 72, 72, 144, 144]),
        ("every hour from 22:00 to 01:00 on Sun", [166, 167, 168]),
        ("2 every 30 minutes from 8:00 to 9:00 on Mon", [8, 8, 8.5, 8.5]),
        ("every 5 hours on Mon", [0, 5, 10, 15, 20]),
        ("rate(2 days)", [0, 48, 96, 144]),
        ("3 rate(1 day)", [24 * n for n in range(7) for _ in range(3)]),
        ("cron(0 8 ? * MON-TUE *)", [8, 32]),
        ("2 at cron(30 8 ? * SUN *)", [152.5, 152.5]),
        ("0 8 * * 1-2", [8, 32]),
        ("@weekly; 1 at 08:00 on Mon", [8, 144]),
    ],
)
def test_patterns(pattern: str, expected: list[float]) -> None:
    """A pattern gives the times of its launches from a Monday on, in order."""
    assert make_hours(pattern) == expected


# --- evenly, and at random ------------------------------------------------------------


@given(st.integers(1, 40), st.integers(0, 23), st.integers(1, 24))
@example(7, 22, 5)
def test_an_even_hourly_count_is_met_each_hour(count: int, start: int, length: int) -> None:
    """Law: an hour of "10 an hour evenly" has 10 launches."""
    end = (start + length) % 24
    hours = make_hours(f"{count} an hour evenly from {start}:00 to {end}:00 on Mon")
    full = np.floor(hours).astype(int)
    assert np.unique(full, return_counts=True)[1].tolist() == [count] * length
    assert min(full) == start


@given(st.integers(1, 400), st.integers(0, 23), st.integers(1, 24), st.integers(0, 2**32))
def test_a_count_in_a_time_range_is_met_at_random(
    count: int, start: int, length: int, seed: int
) -> None:
    """Law: "10 from 09:00 to 17:00" has ten launches in that time, elsewhere for other seeds."""
    pattern = f"{count} from {start}:00 to {(start + length) % 24}:00 on Mon"
    times = make_times(pattern, seed=seed)
    assert len(times) == count
    assert start * HOUR <= min(times) <= max(times) < (start + length) * HOUR
    assert times.tolist() == make_times(pattern, seed=seed).tolist()
    assert times.tolist() != make_times(pattern, seed=seed + 1).tolist()


def test_hourly_counts_are_poisson() -> None:
    """Launches "an hour" have the variance of random arrivals, and exponential gaps."""
    times = make_times("10 an hour daily", days=364)
    counts = np.bincount(times // HOUR, minlength=364 * 24)
    assert counts.mean() == pytest.approx(10, rel=0.01)
    assert counts.var() == pytest.approx(10, rel=0.05)
    gaps = np.diff(times) / HOUR
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.02)
    even = make_times("10 an hour evenly", days=2)
    assert set(np.diff(even)) == {HOUR // 10}


def test_random_launches_stay_in_their_time() -> None:
    """Random launches of an hourly rule are on its days and in its hours."""
    times = make_times("5 an hour from 22:00 to 02:00 on Fri", days=70)
    hours = (times - 4 * DAY) % (7 * DAY) / HOUR
    assert 22 <= min(hours) < 22.2
    assert 25.8 < max(hours) < 26
    assert len(times) == pytest.approx(200, abs=45)


@pytest.mark.parametrize(
    ("pattern", "is_random"),
    [
        ("10 an hour", True),
        ("10 from 9:00 to 10:00", True),
        ("10 an hour evenly", False),
        ("10 at 9:00", False),
        ("every 5 minutes", False),
        ("0 8 * * *; 1 from 8:00 to 9:00", True),
    ],
)
def test_a_pattern_knows_if_it_is_random(pattern: str, is_random: bool) -> None:
    """Only counts a time without "evenly" are random."""
    assert generate_launches(pattern, 7, 0).is_random is is_random


def test_times_are_whole_microseconds() -> None:
    """Launches that cannot be evenly apart are rounded down to microseconds."""
    for pattern in (
        "7 an hour from 00:00 to 01:00 evenly on Mon",
        "7 evenly from 0:00 to 1:00 on Mon",
    ):
        times = make_times(pattern)
        assert times.dtype == np.int64
        assert times.tolist() == [number * HOUR // 7 for number in range(7)]


def test_days_begin_on_a_monday() -> None:
    """Of ten days, eight are weekdays: Monday to Friday, and three of the next week."""
    assert FIRST_DAY.astype(datetime).weekday() == 0
    assert len(make_hours("1 at 08:00 on weekdays", days=10)) == 8
    assert len(make_hours("1 at 08:00 on weekends", days=10)) == 2


# --- days of the month, and time zones ------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("second Tuesday 08:00", ["01-13 08:00", "02-10 08:00", "03-10 08:00"]),
        ("1 at 08:00 on the 2nd Tuesday", ["01-13 08:00", "02-10 08:00", "03-10 08:00"]),
        ("the last Fri of the month at 8:00", ["01-30 08:00", "02-27 08:00", "03-27 08:00"]),
        ("fifth Sat 08:00", ["01-31 08:00"]),
        ("1 at 8:00 on first Mon and 3rd Monday of each month", [
            "01-05 08:00", "01-19 08:00", "02-02 08:00", "02-16 08:00", "03-02 08:00", "03-16 08:00"
        ]),
    ],
)  # fmt: skip
def test_days_of_the_month(pattern: str, expected: list[str]) -> None:
    """An ordinal before a day means that day of the month, by the calendar of 2026."""
    assert make_local(pattern, "UTC", days=84) == expected


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC"])
def test_local_times_stay_local(zone: str) -> None:
    """08:00 in a time zone is 08:00 there on each day, in summer and in winter."""
    for pattern in (f"1 at 08:00 daily {zone}", f"cron(0 8 * * ? *) {zone}", f"0 8 * * * {zone}"):
        times = make_local(pattern, zone)
        assert len(times) == 364
        assert {time[-5:] for time in times} == {"08:00"}
    assert make_times(f"1 at 08:00 {zone}").tolist() == make_times("1 at 08:00", zone=zone).tolist()


def test_the_zone_of_a_rule_counts_first() -> None:
    """A rule that names a zone is in it, whatever the zone of the others is."""
    pattern = "1 at 12:00 UTC; 1 at 12:00 in Asia/Tokyo; 1 at 12:00"
    times = make_times(pattern, days=1, zone="America/New_York")
    assert (times / HOUR).tolist() == [3, 12, 17]


def test_times_that_the_clock_skips_or_repeats() -> None:
    """A local time that does not exist has no launch, one that exists twice the first only."""
    spring, autumn = "03-29", "10-25"  # of 2026 in Europe
    days = make_local("1 at 02:30 daily Europe/Berlin", "Europe/Berlin")
    assert len(days) == 363
    assert not any(day.startswith(spring) for day in ["", *days])
    assert sum(day.startswith(autumn) for day in days) == 1
    times = make_times("1 at 02:30 daily Europe/Berlin", days=364)
    (index,) = np.flatnonzero(np.diff(times) == 25 * HOUR)
    assert (times[index + 1] - times[index] - DAY) == HOUR
    assert len(make_times("every 15 minutes Europe/Berlin", days=364)) == 364 * 96


# --- patterns that are refused --------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("40", "'40'. Expected a pattern such as"),
        ("", "''. Expected a pattern such as"),
        ("1 at 08:00;", "''. Expected a pattern such as"),
        ("forty at 08:00", "'forty at 08:00'. Expected a pattern such as"),
        ("40 at 8", "'40 at 8'. Expected a pattern such as"),
        ("an hour", "'an hour'. Expected a pattern such as"),
        ("from 8:00 to 9:00", "Expected a pattern such as"),
        ("4 an hour at 08:00", "'4 an hour at 08:00'. Expected a pattern such as"),
        ("4 at 08:00 from 8:00 to 9:00", 'with both "at" and "from"'),
        ("4 at 08:00 evenly", '"evenly" goes with "an hour" or "from … to …" alone'),
        ("4 every 5 minutes evenly", '"evenly" goes with'),
        ("every 0 minutes", "a step of 0 minute. Expected a number from 1 to 999,999"),
        ("every 1000000 days", "a step of 1000000 day"),
        ("rate(5)", "'rate(5)'. Expected such as rate(15 minutes)"),
        ("cron(0 8)", "cron(0 8) with 2 fields. Expected six"),
        ("1 at 08:00 Europe/Berlim", "time_zone is 'Europe/Berlim'. Expected a name such as"),
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
        ("40 at 08:00 on second Tuesdxy", "'tuesdxy'. Did you mean 'tuesday'?"),
        ("40 at 08:00 on Mon-weekends", "'mon-weekends'. Expected a range such as Mon-Fri"),
        ("5000 an hour", "has 43,680,000 times with days=364. Expected at most 5,000,000"),
        ("rate(70 days); 5000000 rate(360 days)", "has 10,000,006 times with days=364"),
        ("90 every minute", "has 47,174,400 times with days=364. Expected at most 5,000,000"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_invalid_patterns_are_refused(wrong: Any, message: str) -> None:
    """The error has what was given, and what was expected."""
    with pytest.raises(fl.InputError) as refused:
        fl.right_size(wrong)
    assert message in str(refused.value)


def test_five_million_launches_of_a_pattern_are_the_limit() -> None:
    """Five million launches are accepted, one more is not."""
    assert len(make_times("5000000 at 08:00", days=1)) == 5_000_000
    with pytest.raises(fl.InputError, match=r"5,000,001 times with days=1\. Expected at most"):
        make_times("5000000 at 08:00; 1 at 09:00", days=1)
