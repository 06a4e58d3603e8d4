"""Tests of uncertainty: days, resampled shares and targets, trends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastlaunch_nb.pool.launch_pattern import DAY, HOUR, IntArray
from fastlaunch_nb.pool.uncertainty import (
    MAX_BLOCKS,
    DayBootstrap,
    ShareRange,
    Trend,
    _widen_tail,
    find_trend,
    number_days,
)

counts = st.lists(st.integers(0, 50), min_size=5, max_size=40)


def test_days_begin_at_their_quietest_hour() -> None:
    """Launches around midnight are on one day if it is quiet at another time."""
    nights = [day * 24 + hour for day in range(5) for hour in (22, 23, 24, 25)]
    days = number_days(np.array(nights) * HOUR)
    assert days.tolist() == [day for day in range(5) for _ in range(4)]
    mornings = np.array([day * DAY + 8 * HOUR for day in (2, 3, 9)])
    assert number_days(mornings).tolist() == [0, 1, 7]


@given(counts, st.integers(0, 9))
def test_the_share_is_in_its_range(launches: list[int], seed: int) -> None:
    """Law: the range is within 0 and 1, and one seed gives one range."""
    by_day = np.array(launches) + 1
    cold = np.random.default_rng(seed).integers(0, by_day + 1)
    low, high = DayBootstrap(by_day, seed).find_share_range(cold)
    assert 0 <= low <= high <= 1
    assert DayBootstrap(by_day, seed).find_share_range(cold) == (low, high)
    share = 1 - cold.sum() / by_day.sum()
    assert low - 0.05 <= share <= high + 0.05


def test_equal_days_are_sure() -> None:
    """If all days have the same share, so have all samples."""
    cold, launches = np.full(20, 5), np.full(20, 50)
    assert DayBootstrap(launches, 0).find_share_range(cold) == pytest.approx((0.9, 0.9))


def test_no_cold_launch_does_not_prove_that_there_are_none() -> None:
    """Of 300 launches without a cold one, up to one in a hundred may be cold."""
    interval = DayBootstrap(np.full(10, 30), 0).find_share_range(np.zeros(10, dtype=int))
    assert interval == ShareRange(0.99, 1)
    few = DayBootstrap(np.array([1, 1]), 0).find_share_range(np.zeros(2, dtype=int))
    assert few == ShareRange(0, 1)


def test_days_that_differ_are_less_sure() -> None:
    """The same cold launches on fewer days give a wider range."""
    launches = np.full(20, 50)
    even = DayBootstrap(launches, 0).find_share_range(np.full(20, 5))
    one_day = DayBootstrap(launches, 0).find_share_range(np.array([50, 50, *[0] * 18]))
    assert one_day.high - one_day.low > 0.2 > even.high - even.low


def test_the_range_of_targets() -> None:
    """A target is needed by the days that have more launches at once than it has snapshots."""
    launches = np.array([10] * 12 + [20] * 8)

    def count_cold(target: int) -> IntArray:
        cold: IntArray = np.maximum(launches - target, 0)
        return cold

    low, high = DayBootstrap(launches, 0).find_target_range(count_cold, 1.0, 20)
    assert (low, high) == (20, 20)
    low, high = DayBootstrap(launches, 0).find_target_range(count_cold, 0.8, 20)
    assert 10 <= low < high <= 16


def test_many_days_are_resampled_in_blocks() -> None:
    """Ten thousand days cost no more than two years, and give a narrow range."""
    launches = np.full(10_000, 10)
    bootstrap = DayBootstrap(launches, 0)
    assert bootstrap._weights.shape[1] <= MAX_BLOCKS
    low, high = bootstrap.find_share_range(np.arange(10_000) % 2)
    assert 0.94 < low <= 0.95 <= high < 0.96


@pytest.mark.parametrize(
    ("days", "tail", "series"),
    [
        (5, 0.00096, 0.0011381),
        (14, 0.01250, 0.0125243),
        (30, 0.01877, 0.0187589),
        (1_000, 0.02482, 0.0248043),
    ],
)
def test_few_days_have_wider_tails(days: int, tail: float, series: float) -> None:
    """The tails are about those of Student's t, and exactly those of the series of its quantile.

    Both times the root of n / (n - 1).
    """
    assert _widen_tail(0.025, days) == pytest.approx(tail, abs=2e-4)
    assert _widen_tail(0.025, days) == pytest.approx(series, abs=1e-7)
    assert _widen_tail(0.025, 1) == 0


@pytest.mark.parametrize(
    ("launches", "trend"),
    [
        ([*range(10, 30)], Trend(14.5, 24.5)),
        ([*range(30, 10, -1)], Trend(25.5, 15.5)),
        ([100 + n for n in range(20)], None),
        ([10, 30] * 10, None),
        ([1, 9], None),
        ([10] * 20, None),
    ],
    ids=["rising", "falling", "small", "alternating", "two days", "steady"],
)
def test_trends(launches: list[int], trend: Trend | None) -> None:
    """A trend goes with the time, and changes the launches by a fifth."""
    assert find_trend(np.array(launches), 0) == trend


@pytest.mark.parametrize("weeks", [2, 3, 8])
def test_a_week_is_no_trend(weeks: int) -> None:
    """Quiet weekends alone are no trend."""
    assert find_trend(np.array([20, 21, 19, 20, 22, 1, 0] * weeks), 0) is None


def test_chance_is_rarely_a_trend() -> None:
    """Of 100 random histories without a trend, at most 3 seem to have one."""
    draw = np.random.default_rng(0)
    found = [find_trend(draw.poisson(5, 20), 0) for _ in range(100)]
    assert len([trend for trend in found if trend]) <= 3
