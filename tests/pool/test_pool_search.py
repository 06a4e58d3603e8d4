"""Tests of the search for a pool: the launches of each stretch and of each day."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastlaunch_nb.pool.pool_search import PoolSearch, Reading, find_peaks
from tests.pool.test_model import CROWD, fills, launch_times, parallels, play_launches

SECOND = 1_000_000


def make_reading(times: list[int], day: int = 100) -> Reading:
    """Return launches in these seconds, with days of so many seconds."""
    seconds = np.array(sorted(times), dtype=np.int64)
    return Reading(seconds * SECOND, seconds // day)


@given(launch_times, st.integers(1, 12), parallels, fills)
@example(CROWD, 5, 2, 10)
@example(CROWD * 2, 3, 10, 10)
@example([0, 10], 1, 1, 10)
@example([0, 9], 1, 1, 10)
@example(list(range(0, 60, 2)), 12, 1, 40)
def test_stretches_are_the_launches(
    times: list[int], target: int, parallel: int, fill: int
) -> None:
    """Law: stretch by stretch, as many launches are cold as in one pool; none at the top target."""
    pools = PoolSearch([make_reading(times)], fill, max_target=10**6)
    cold = play_launches(sorted(times), target, parallel, fill).count(False)
    assert pools.count_cold(target, parallel) == cold
    top = pools.top_target(parallel)
    assert all(play_launches(sorted(times), top, parallel, fill))
    assert top == 1 or not all(play_launches(sorted(times), top - 1, parallel, fill))


@given(launch_times, st.integers(1, 12), parallels, fills)
@example(CROWD, 5, 2, 10)
@example([0, 0, 99, 99, 101, 101], 1, 1, 60)
def test_cold_launches_by_day(times: list[int], target: int, parallel: int, fill: int) -> None:
    """Law: day by day, the cold launches are those of the pool, and their sum is their number."""
    pools = PoolSearch([make_reading(times)], fill, max_target=99, days=4)
    is_warm = np.array(play_launches(times, target, parallel, fill))
    expected = np.bincount(np.array(times)[~is_warm] // 100, minlength=4)
    assert pools.count_cold_by_day(target, parallel).tolist() == expected.tolist()
    assert pools.count_cold(target, parallel) == expected.sum()
    plain = PoolSearch([make_reading(times)], fill, max_target=99)
    assert plain.count_cold(target, parallel) == expected.sum()


@given(launch_times, launch_times, st.integers(1, 12), parallels, fills)
def test_the_worst_reading_counts(
    one: list[int], other: list[int], target: int, parallel: int, fill: int
) -> None:
    """Law: of two readings, the one with more cold launches counts; the top serves both."""
    shorter = min(len(one), len(other))
    readings = [make_reading(times[:shorter]) for times in (one, other)]
    alone = [PoolSearch([reading], fill, 99, 4) for reading in readings]
    both = PoolSearch(readings, fill, 99, 4)
    cold = [pools.count_cold(target, parallel) for pools in alone]
    assert both.count_cold(target, parallel) == max(cold)
    assert both.count_cold_by_day(target, parallel).sum() == max(cold)
    assert both.top_target(parallel) == max(pools.top_target(parallel) for pools in alone)


def test_without_a_target_all_launches_are_cold() -> None:
    """A target of 0 serves none."""
    assert PoolSearch([make_reading([1, 2, 3])], 10, 99).count_cold(0, 6) == 3


@pytest.mark.parametrize(("cold", "target"), [(0.19, 0), (0.21, 3), (0.99, 3), (1.01, 7)])
def test_the_cheapest_target_weighs_snapshots_and_cold_launches(cold: float, target: int) -> None:
    """Three snapshots serve 15 launches, four more serve 4: what a cold launch must cost for it."""
    times = [0] * 7 + [n * 10_000 for n in range(1, 5) for _ in range(3)]
    pools = PoolSearch([make_reading(times)], 60, 99)
    assert pools.find_cheapest(6, 1, cold) == target


@pytest.mark.parametrize(
    ("fill_time", "apart", "cold"),
    [(2e-6, 2, 0), (2e-6, 1, 1), (1e-6, 1, 0), (1e-9, 1, 0), (1e-9, 0, 1)],
)
def test_a_fill_time_is_at_least_a_microsecond(fill_time: float, apart: int, cold: int) -> None:
    """A snapshot is replaced after whole microseconds, one or more: never at once."""
    reading = Reading(np.array([0, apart]), np.zeros(2, dtype=np.int64))
    assert PoolSearch([reading], fill_time, 99).count_cold(1, 6) == cold


def test_peaks_of_stretches() -> None:
    """A launch after a pool is full again begins a new stretch, with a peak of its own."""
    assert find_peaks(np.array([0, 0, 0, 30, 200, 210]), 6, 60).tolist() == [4, 4, 4, 4, 2, 2]
