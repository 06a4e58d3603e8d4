"""Tests of launches that a user passes: patterns, datetimes, and frames of `fl.launches`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

import fastlaunch_nb as fl
from fastlaunch_nb.pool.launch_times import convert_datetimes, parse_launches

HOUR = 3_600_000_000
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
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
    pd.DataFrame(dict.fromkeys(["time", "end"], pd.to_datetime([LATER, MONDAY]))),
]
FIRST = int(MONDAY.timestamp()) * 1_000_000


@pytest.mark.parametrize("times", SAME_TIMES, ids=lambda value: type(value).__name__)
def test_real_times(times: Any) -> None:
    """Datetimes of Python, numpy and pandas may be in any order; without a zone they are UTC."""
    parsed = parse_launches(times, days=1)
    assert parsed.times.tolist() == [FIRST, FIRST + HOUR]
    assert (parsed.ends, parsed.is_sample, parsed.is_random) == (None, True, True)


def test_a_pattern_is_no_sample() -> None:
    """The launches of a pattern are in order, and known to be no sample."""
    parsed = parse_launches("1 at 09:00 and 08:00", days=1)
    assert parsed.times.tolist() == [FIRST + 8 * HOUR, FIRST + 9 * HOUR]
    assert (parsed.is_sample, parsed.is_random, parsed.days) == (False, False, 1)
    assert parse_launches("9 an hour", days=1).is_random is True


@pytest.mark.parametrize("as_array", [False, True])
def test_times_without_a_zone_may_be_in_one(as_array: bool) -> None:
    """Naive times are in the given zone; times with a zone of their own are not."""
    naive = datetime(2026, 7, 1, 8)
    aware = naive.replace(tzinfo=UTC)
    zone = ZoneInfo("Europe/Berlin")
    times: list[Any] = [[naive], [aware]]
    if as_array:
        times = [pd.Series([naive]), pd.Series([aware])]
    local, utc = (convert_datetimes(each, zone) for each in times)
    assert (utc - local).tolist() == [2 * HOUR]


def test_ends_go_with_their_times() -> None:
    """The end of a period stays with its launch when launches are put in order."""
    frame = pd.DataFrame({"time": [LATER, MONDAY], "end": [LATER + timedelta(hours=1), LATER]})
    parsed = parse_launches(frame, days=1)
    assert parsed.ends is not None
    assert (parsed.ends - parsed.times).tolist() == [HOUR, HOUR]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (pd.Series([], dtype="datetime64[us]"), "no launch at all"),
        ([], "no launch at all"),
        (40, "launches is 40. Expected a pattern such as"),
        (["08:00"], "launches has '08:00'. Expected datetimes"),
        ([MONDAY.date()], "Expected datetimes"),
        ([pd.NaT], "launches has NaT. Expected datetimes"),
        ([np.datetime64("NaT")], "Expected datetimes"),
        (pd.Series([MONDAY, None]), "launches has 1 missing times"),
        (np.array([["2026-01-05"]], dtype="datetime64[s]"), "2 dimensions"),
        (pd.DataFrame({"time": [MONDAY]}), "a DataFrame without the columns time and end"),
        (pd.DataFrame({"time": [LATER], "end": [MONDAY]}), "has an end before its time"),
        (
            pd.DataFrame(
                {"time": [MONDAY] * 2, "end": [MONDAY] * 2, "image_id": ["ami-1", "ami-2"]}
            ),
            "launches has 2 images. Each has a pool of its own: choose one, such as",
        ),
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


def test_five_million_times_are_the_limit() -> None:
    """Five million times are accepted, one more is not."""
    times = np.zeros(5_000_001, dtype="datetime64[s]")
    assert len(parse_launches(times[1:], days=1).times) == 5_000_000
    with pytest.raises(fl.InputError, match=r"5,000,001 times\. Expected at most 5,000,000"):
        parse_launches(times, days=1)
